import type { RecipeInput } from '../config/recipe-schema.ts'
import type { Prompt } from '../data/prompt.ts'
import type { EvaluationResult } from '../evaluate/evaluate.ts'
import type { RunEvaluation } from '../evaluate/evaluator.ts'
import type { Metrics } from '../metrics/step-metrics.ts'
import type { Policy } from '../policy/policy.ts'
import type { RolloutGroup } from '../rollout/rollout.ts'
import type { Stage } from '../stage/resolve-stages.ts'
import type { StageTransition } from '../stage/stage-scheduler.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { RewardFunction, Verifier } from '../verify/verifier.ts'

/** What a step was: its metrics and every response. */
export interface StepReport {
  step: number
  metrics: Metrics
  groups: RolloutGroup[]
  /** The stage that began with this step, where one did. */
  transition?: StageTransition | undefined
  /** Empty where the step was not evaluated. */
  evaluations: EvaluationResult[]
}

/** Where a run stands, for a progress line. */
export interface TrainerProgress {
  /** The step under way; 0 before the first. */
  step: number
  phase: 'rollout' | 'verify' | 'update' | 'evaluate' | 'checkpoint'
  /** Tokens sampled so far, in `rollout` and `evaluate`. */
  tokens?: number
}

export interface TrainerOptions {
  policy: Policy
  tokenizer: Pick<Tokenizer, 'decode' | 'stopTokenIds'>
  prompts: readonly Prompt[]
  /** Passes over the prompts after which a stage ends; default without end. */
  epochs?: number | undefined
  /** A verifier, or a plain function of a response, such as `({ response, answer }) => response.includes(answer)`. */
  verifier: Pick<Verifier, 'verify'> | RewardFunction
  /** Any key of the recipe; the others have their defaults. */
  config?: RecipeInput
  /**
   * What the k3 term holds the policy to, needed where klCoefficient > 0. It is never trained. Default, for a policy with
   * an adapter: the policy without it.
   */
  referencePolicy?: Pick<Policy, 'score'>
  /** Held-out problems, evaluated before the first step, after the last, and every `every` steps between. */
  evaluation?: RunEvaluation
  /** The run folder; without it nothing is written. */
  output?: string
  /** What config.yaml and summary.json say; default the recipe. */
  settings?: object
  /** A stage after the first begins. */
  onStage?: (transition: StageTransition, stage: Stage) => void
  onStep?: (report: StepReport) => void
  onProgress?: (progress: TrainerProgress) => void
  /** Something that training goes on in spite of, but should not be so. */
  onWarning?: (text: string) => void
  /** Path of a Chrome trace of the second step, or of the first where there is no second (docs/profiling.md). */
  profile?: string
}

/** The outcome of `run`. */
export interface RunResult {
  /** Steps completed, those before a resume included. */
  steps: number
  /**
   * Wall-clock seconds in `run`: steps, every evaluation, records and checkpoints, but not the loading before. Of a
   * run that was resumed, those up to the checkpoint that it went on from are included.
   */
  seconds: number
  /** The signal ended the run before its last step, or before the evaluation after it. */
  interrupted: boolean
  /** avg@k on the held-out problems, in [0, 1]; null without an evaluation. */
  accuracyBefore: number | null
  accuracyAfter: number | null
}
