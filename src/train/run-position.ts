import type { EntropyControllerState } from '../control/entropy-controller.ts'
import type { EntropyEstimates, Metrics, UpdateRates } from '../metrics/step-metrics.ts'
import type { RolloutGroup } from '../rollout/rollout.ts'
import type { Stage } from '../stage/resolve-stages.ts'
import type { StageScheduler, StageState, StageTransition } from '../stage/stage-scheduler.ts'
import { entropyControl } from './entropy-control.ts'
import { learningRateAt } from './learning-rate.ts'

/** Where a run stands: in its stages, in the prompts of the one under way, and in its entropy controller. */
export class RunPosition {
  readonly #scheduler: StageScheduler
  #control: ReturnType<typeof entropyControl>

  constructor(scheduler: StageScheduler) {
    this.#scheduler = scheduler
    this.#control = entropyControl(this.stage.entropy)
  }

  get stage(): Stage {
    return this.#scheduler.stage
  }

  get stages(): readonly Stage[] {
    return this.#scheduler.stages
  }

  get stageNumber(): number {
    return this.#scheduler.number
  }

  get prompts(): StageScheduler['stream'] {
    return this.#scheduler.stream
  }

  /** The last stage is over. */
  get done(): boolean {
    return this.#scheduler.done
  }

  /**
   * Begins the next stage where the one before is over. The controller's state goes on where its kind is the same, unless
   * the stage resets it; a kind that returns after another begins anew, as what it held was of a loss no longer trained.
   */
  advance(step: number): StageTransition | undefined {
    const transition = this.#scheduler.advance(step)
    if (!transition) return undefined
    const state = this.#control.controller.state()
    this.#control = entropyControl(this.stage.entropy)
    const { controller } = this.#control
    if (!transition.resetController && controller.state().kind === state.kind) controller.restore(state)
    return transition
  }

  /** Of the step about to be updated (Skywork-OR1, eq 3.2). */
  rates(step: number, entropy: EntropyEstimates, kept: readonly RolloutGroup[]): UpdateRates {
    const { controller, estimator } = this.#control
    return {
      learningRate: learningRateAt(step - this.#scheduler.resetAt, this.stage),
      coefficient: controller.coefficient,
      entropyCoefficient: kept.length > 0 ? controller.applied(entropy[estimator]) : 0,
    }
  }

  /** The controller moves on; where no group was kept there is nothing that it could have caused. */
  observe(entropy: EntropyEstimates, kept: readonly RolloutGroup[]): void {
    const { controller, estimator } = this.#control
    if (kept.length > 0) controller.observe(entropy[estimator])
  }

  /** Takes a completed step into account. */
  record(metrics: Metrics, groups: readonly RolloutGroup[]): void {
    this.#scheduler.record(metrics, groups)
  }

  /** Takes an evaluation of the last completed step into account. */
  recordEvaluation(metrics: Readonly<Record<string, number>>): void {
    this.#scheduler.recordEvaluation(metrics)
  }

  state(): { controller: EntropyControllerState; stages: StageState } {
    return { controller: this.#control.controller.state(), stages: this.#scheduler.state() }
  }

  restore({ controller, stages }: { controller: EntropyControllerState; stages: StageState }): void {
    this.#scheduler.restore(stages)
    this.#control = entropyControl(this.stage.entropy)
    this.#control.controller.restore(controller)
  }
}
