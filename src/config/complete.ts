import { resolveStages } from '../stage/resolve-stages.ts'
import { adaptiveOptions } from '../train/entropy-control.ts'
import { merged, setOwn, valueAt } from './merge.ts'
import type { RecipeConfig } from './recipe-schema.ts'
import { type TrainConfig, trainSchema } from './schema.ts'

/** Keys whose default follows from another key, and from which. */
const followed: Readonly<Record<string, string>> = {
  promptsPerUpdate: 'promptsPerStep',
  aggregationConstant: 'maxResponseLength',
  'rejection.maxPrompts': 'promptsPerStep',
  'entropy.delta': 'entropy.variant',
  'entropy.maximum': 'entropy.variant',
  'entropy.gate': 'entropy.variant',
  'entropy.atTarget': 'entropy.variant',
  'entropy.timing': 'entropy.variant',
  'entropy.estimator': 'entropy.variant',
  'evaluation.maxResponseLength': 'maxResponseLength',
}

/** The key that the default of a key follows from; undefined where the default is a constant. */
export function followsFrom(path: readonly PropertyKey[]): string | undefined {
  return followed[(path[0] === 'stages' ? path.slice(2) : path).join('.')]
}

/**
 * Fills in the defaults that follow from other keys, so that the resolved config says all that is used. A stage that
 * sets `promptsPerStep` or `entropy.variant` anew gets what follows from it there, too.
 */
export function completed(config: TrainConfig): TrainConfig {
  const { stages, evaluation } = config
  const complete = completedStep(config)
  // Parsed once more for the order of its keys.
  return trainSchema.parse({
    ...complete,
    evaluation: { ...evaluation, maxResponseLength: evaluation.maxResponseLength ?? longestResponse(config) },
    ...(stages && { stages: stages.map((stage) => completedStage(config, complete, stage)) }),
  })
}

/** The T of the stage that has the largest: an evaluation is not cut short because a stage is. */
function longestResponse(config: TrainConfig): number {
  return Math.max(...resolveStages(config).map(({ maxResponseLength }) => maxResponseLength))
}

type StepConfig = Omit<RecipeConfig, 'stages'>

function completedStep<C extends StepConfig>(config: C): C {
  const { promptsPerStep, promptsPerUpdate = promptsPerStep, rejection, aggregation, entropy } = config
  const { maxPrompts = 4 * promptsPerStep } = rejection
  const { aggregationConstant = config.maxResponseLength } = config
  return {
    ...config,
    promptsPerUpdate,
    rejection: rejection.refill ? { ...rejection, maxPrompts } : rejection,
    ...(aggregation === 'sequence-mean-token-sum' && { aggregationConstant }),
    entropy: entropy.controller === 'adaptive' ? { ...entropy, ...adaptiveOptions(entropy) } : entropy,
  }
}

type Stage = NonNullable<TrainConfig['stages']>[number]

function completedStage(config: TrainConfig, complete: TrainConfig, stage: Stage): Stage {
  const own = completedStep(merged(config, stage))
  let result = stage
  for (const key of Object.keys(followed)) {
    const path = key.split('.')
    const value = valueAt(own, path)
    if (valueAt(stage, path) === undefined && value !== undefined && value !== valueAt(complete, path))
      result = merged(result, nested(path, value))
  }
  return result
}

/** `{ entropy: { delta: 1 } }` of `['entropy', 'delta']` and 1. */
function nested(path: readonly string[], value: unknown): object {
  return path.reduceRight<unknown>((inner, key) => {
    const holder = {}
    setOwn(holder, key, inner)
    return holder
  }, value) as object
}
