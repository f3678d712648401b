import type { z } from 'zod'
import { merged } from '../config/merge.ts'
import type { RecipeConfig } from '../config/recipe-schema.ts'
import type { stageSchema } from '../config/stage-schema.ts'

type StageKeys = Pick<z.output<typeof stageSchema>, 'until' | 'dropSolved' | 'resetOptimizer' | 'resetController'>

/** A stage with every setting it runs with. */
export type Stage = Omit<RecipeConfig, 'stages'> & StageKeys

/** The stages of a run, at least one; each is the run's settings with its own on top, key by key at any depth. */
export function resolveStages({ stages, ...base }: RecipeConfig): Stage[] {
  const plain = { dropSolved: false, resetOptimizer: false, resetController: false }
  return (stages ?? [{}]).map((own) => merged({ ...base, ...plain }, own) as Stage)
}

/** Most steps of the whole run; stages that converge end earlier. */
export function totalSteps(stages: readonly Pick<Stage, 'steps'>[]): number {
  return stages.reduce((sum, { steps }) => sum + steps, 0)
}
