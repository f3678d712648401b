import type { z } from 'zod'
import type { evaluationSchema } from '../evaluation-schema.ts'
import type { RecipeInput } from '../recipe-schema.ts'

/** A stage of a published run: how long it is and what it sets. */
export type PresetStage = NonNullable<RecipeInput['stages']>[number] & { steps: number; maxResponseLength: number }

/** Settings of a published run, as its YAML file would have them. */
export type PresetSettings = Omit<RecipeInput, 'stages'> & {
  verifier?: { byAbility: Record<string, string> }
  device: string
  dtype: 'float32' | 'bfloat16'
  evaluation: z.input<typeof evaluationSchema>
  stages: PresetStage[]
}

/** A published recipe: the base that the keys of a config override. */
export interface Preset {
  /** One line: what it trains, and by which account of the recipe. */
  summary: string
  /** The model that it starts from, by its name on the Hugging Face Hub. */
  model: string
  settings: PresetSettings
}

/** What every Skywork-OR1 run has in common. */
const common = {
  device: 'cuda',
  dtype: 'bfloat16',
  activationCheckpointing: true,
  maxPromptLength: 2048,
  reuse: 1,
  temperature: 1,
  topP: 1,
  learningRate: 1e-6,
  warmupSteps: 0,
  betas: [0.9, 0.999],
  weightDecay: 0.01,
  maxGradNorm: 1,
  clipLow: 0.2,
  clipHigh: 0.2,
  klCoefficient: 0,
  rejection: { refill: false },
  // avg@32 with 32,768 tokens: AIME24 and AIME25 of the report.
  evaluation: { samples: 32, temperature: 1, topP: 1, maxResponseLength: 32768 },
} satisfies Partial<PresetSettings>

/** Mathematics and code in one run; rows that do not say are mathematics. */
export const mathAndCode = { byAbility: { math: 'math', code: 'code', default: 'math' } }

/**
 * The two accounts of a Skywork-OR1 run. `paper`: truncated responses have reward 0, the controller is that of eq 3.2,
 * and a stage goes on with the optimizer and the controller of the stage before, without the prompts that it solved.
 * `release`: truncated responses are graded, the controller is that of the training code, and each stage is a new run.
 */
export function paperAndRelease(
  run: { summary: string; model: string },
  settings: Pick<PresetSettings, 'verifier' | 'promptsPerStep' | 'promptsPerUpdate' | 'groupSize'>,
  stages: readonly PresetStage[],
): { paper: Preset; release: Preset } {
  const { summary, model } = run
  const paper: PresetSettings = {
    ...settings,
    ...common,
    truncation: { advantageMask: 'none', reward: 'zero' },
    entropy: { controller: 'adaptive', variant: 'or1-paper', target: 0.2 },
    stages: stages.map((stage) => ({ ...stage, dropSolved: true, resetOptimizer: false, resetController: false })),
  }
  const release: PresetSettings = {
    ...paper,
    truncation: { advantageMask: 'none', reward: 'graded' },
    entropy: { controller: 'adaptive', variant: 'or1-release', target: 0.2 },
    stages: stages.map((stage) => ({ ...stage, dropSolved: false, resetOptimizer: true, resetController: true })),
  }
  return {
    paper: { summary: `${summary}, as in the paper`, model, settings: paper },
    release: { summary: `${summary}, as in the released code`, model, settings: release },
  }
}
