import type { Prompt } from '../data/prompt.ts'
import { PromptStream, type PromptStreamOptions, type PromptStreamState } from '../data/prompt-stream.ts'
import type { Metrics } from '../metrics/step-metrics.ts'
import type { RolloutGroup } from '../rollout/rollout.ts'
import { Convergence } from './convergence.ts'
import type { Stage } from './resolve-stages.ts'
import { SolvedPrompts, type SolvedPromptsState } from './solved-prompts.ts'

/** Where a run stands in its stages; plain JSON. */
export interface StageState {
  /** from 1, as the metrics show it */
  stage: number
  /** steps completed in this stage */
  steps: number
  /** steps completed when the optimizer last began anew */
  resetAt: number
  stream: PromptStreamState
  /** the last values of the metric that tells convergence */
  values: number[]
  prompts: SolvedPromptsState
}

/** One line of stages.jsonl: a stage that begins. */
export interface StageTransition {
  /** The first step of the new stage. */
  step: number
  /** The new stage, from 1. */
  stage: number
  /** Why the stage before ended: its steps are done, its metric no longer improves, or its prompts are used up. */
  reason: 'steps' | 'converged' | 'epochs'
  /** Prompts left out from now on, as they were solved whenever the stage before drew them. */
  dropped: number
  /** Prompts that stay. */
  prompts: number
  resetOptimizer: boolean
  resetController: boolean
}

/**
 * Walks a run through its stages (Skywork-OR1, section 3.2.2): which settings hold, which prompts come next, and when
 * the next stage begins. A stage that is over is left by `advance`, at the start of the step after it.
 */
export class StageScheduler {
  readonly stages: readonly Stage[]
  readonly #order: Pick<PromptStreamOptions, 'seed' | 'epochs'>
  readonly #prompts: SolvedPrompts
  #index = 0
  #steps = 0
  #resetAt = 0
  #convergence: Convergence | undefined
  #stream: PromptStream

  constructor(
    stages: readonly Stage[],
    prompts: readonly Prompt[],
    order: Pick<PromptStreamOptions, 'seed' | 'epochs'>,
  ) {
    this.stages = stages
    this.#order = order
    this.#prompts = new SolvedPrompts(prompts)
    ;({ stream: this.#stream, convergence: this.#convergence } = this.#begin())
  }

  /** The settings of the stage under way. */
  get stage(): Stage {
    return this.stages[this.#index]!
  }

  /** Its number, from 1. */
  get number(): number {
    return this.#index + 1
  }

  /** Steps completed when the optimizer last began anew: what a warm-up counts from. */
  get resetAt(): number {
    return this.#resetAt
  }

  /** The prompts of this stage, shuffled anew each epoch. */
  get stream(): PromptStream {
    return this.#stream
  }

  /** The last stage is over: its steps or its prompts are used up, or it has converged. */
  get done(): boolean {
    return this.#over && this.#index === this.stages.length - 1
  }

  get #over(): boolean {
    return this.#reason !== undefined
  }

  get #reason(): StageTransition['reason'] | undefined {
    if (this.#steps >= this.stage.steps) return 'steps'
    if (this.#convergence?.reached) return 'converged'
    return this.#stream.remaining === 0 ? 'epochs' : undefined
  }

  /** Takes a completed step into account. */
  record(metrics: Metrics, groups: readonly RolloutGroup[]): void {
    this.#steps++
    this.#convergence?.record(metrics)
    this.#prompts.record(groups)
  }

  /** Takes an evaluation of the last completed step into account. */
  recordEvaluation(metrics: Readonly<Record<string, number>>): void {
    this.#convergence?.record(metrics)
  }

  /** Begins the next stage where the one under way is over; `step` is the step about to be done. */
  advance(step: number): StageTransition | undefined {
    const reason = this.#reason
    if (!reason || this.done) return undefined
    this.#index++
    this.#steps = 0
    const { dropSolved, resetOptimizer, resetController } = this.stage
    if (resetOptimizer) this.#resetAt = step - 1
    const dropped = this.#prompts.endStage(dropSolved)
    ;({ stream: this.#stream, convergence: this.#convergence } = this.#begin())
    const prompts = this.#prompts.remaining().length
    return { step, stage: this.number, reason, dropped, prompts, resetOptimizer, resetController }
  }

  state(): StageState {
    return {
      stage: this.number,
      steps: this.#steps,
      resetAt: this.#resetAt,
      stream: this.#stream.state(),
      values: this.#convergence?.state() ?? [],
      prompts: this.#prompts.state(),
    }
  }

  /** @throws RangeError where the run has no such stage */
  restore({ stage, steps, resetAt, stream, values, prompts }: StageState): void {
    if (!(stage >= 1 && stage <= this.stages.length))
      throw new RangeError(`the run stands in stage ${stage}, but its config has ${this.stages.length}`)
    this.#index = stage - 1
    this.#steps = steps
    this.#resetAt = resetAt
    this.#prompts.restore(prompts)
    ;({ stream: this.#stream, convergence: this.#convergence } = this.#begin())
    this.#stream.restore(stream)
    this.#convergence?.restore(values)
  }

  #begin() {
    // The first stage has the run's own seed; each later one shuffles in another order.
    const seed = this.#order.seed + this.#index
    const { until } = this.stage
    return {
      stream: new PromptStream(this.#prompts.remaining(), { ...this.#order, seed }),
      convergence: until && new Convergence(until),
    }
  }
}
