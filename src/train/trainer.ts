import { optimizerPath, type RunCheckpoint } from '../checkpoint/run-checkpoint.ts'
import { ConfigError } from '../config/config-error.ts'
import { parseRecipe } from '../config/recipe.ts'
import type { RecipeConfig } from '../config/recipe-schema.ts'
import { Evaluator } from '../evaluate/evaluator.ts'
import { ModelFlops } from '../metrics/model-flops.ts'
import { performanceMetrics, type StepWork } from '../metrics/performance-metrics.ts'
import type { Profile } from '../metrics/profile.ts'
import { RunFolder } from '../metrics/run-folder.ts'
import { estimateEntropy, stepMetrics, timingMetrics, type UpdateRates } from '../metrics/step-metrics.ts'
import { Stopwatch } from '../metrics/stopwatch.ts'
import type { StepStats } from '../policy/policy.ts'
import { LocalEngine } from '../rollout/local-engine.ts'
import type { RolloutGroup } from '../rollout/rollout.ts'
import { RolloutCounts } from '../rollout/rollout-counts.ts'
import { requireEvaluationMetrics } from '../stage/convergence.ts'
import { resolveStages } from '../stage/resolve-stages.ts'
import { StageScheduler, type StageTransition } from '../stage/stage-scheduler.ts'
import { FunctionVerifier } from '../verify/function-verifier.ts'
import { isAbort } from './abort.ts'
import { Checkpointer } from './checkpointer.ts'
import { trainedRollouts } from './grade.ts'
import { GroupCollector } from './group-collector.ts'
import { referenceOf } from './reference.ts'
import { RunPosition } from './run-position.ts'
import { SamplerAgreement } from './sampler-agreement.ts'
import { StepProfile } from './step-profile.ts'
import { StepRecorder } from './step-recorder.ts'
import type { RunResult, StepReport, TrainerOptions, TrainerProgress } from './trainer-options.ts'
import { trainedPrompts } from './training-batch.ts'
import { updatePolicy, updatesPerStep } from './update.ts'

export type { RunResult, StepReport, TrainerOptions, TrainerProgress }

/**
 * Trains a policy by GRPO with adaptive entropy control (Skywork-OR1, eq 2.5, 3.1 and 3.2), stage by stage.
 *
 * @example
 *     const trainer = new Trainer({ policy, tokenizer, prompts, verifier, config: { steps: 60, learningRate: 5e-6 } })
 *     await trainer.run()
 */
export class Trainer {
  readonly config: RecipeConfig
  readonly folder: RunFolder | undefined
  readonly #options: TrainerOptions
  readonly #position: RunPosition
  readonly #collector: GroupCollector
  readonly #evaluator: Evaluator | undefined
  readonly #checkpointer: Checkpointer | undefined
  readonly #recorder: StepRecorder
  readonly #agreement: SamplerAgreement
  readonly #profile: StepProfile
  readonly #flops: ModelFlops
  #started = false
  #step = 0
  /** Weights, counters and records are those of `#step`: no update or record of a failed step lies between. */
  #whole = true
  #seconds = () => 0

  /** @throws ConfigError where the config is wrong, or prompts, a reference policy or evaluations it needs are missing */
  constructor(options: TrainerOptions) {
    this.config = parseRecipe(options.config ?? {})
    const stages = resolveStages(this.config)
    const { policy, tokenizer, prompts, evaluation } = options
    if (prompts.length === 0) throw new ConfigError("'prompts': expected at least one prompt; got none")
    if (stages.some(({ klCoefficient }) => klCoefficient > 0) && !referenceOf(options))
      throw new ConfigError("'referencePolicy': expected a policy, as klCoefficient is above 0; it is missing")
    if (policy.dtype === 'float32' && stages.some(({ gradientDtype }) => gradientDtype === 'bfloat16'))
      throw new ConfigError("'gradientDtype': expected 'float32', or a policy of dtype bfloat16; got 'bfloat16'")
    requireEvaluationMetrics(stages, evaluation && { every: evaluation.every })
    const verifier =
      typeof options.verifier === 'function'
        ? new FunctionVerifier(options.verifier.name || 'reward', options.verifier)
        : options.verifier
    const engine = new LocalEngine(policy, tokenizer)
    const { seed } = this.config
    this.#options = options
    this.#position = new RunPosition(new StageScheduler(stages, prompts, { seed, epochs: options.epochs }))
    this.#collector = new GroupCollector({ engine, verifier, seed, onProgress: options.onProgress })
    this.folder = options.output === undefined ? undefined : new RunFolder(options.output)
    this.#checkpointer = this.folder && new Checkpointer(this.folder, policy, prompts, this.config)
    if (evaluation) this.#evaluator = new Evaluator(engine, verifier, evaluation, this.folder)
    const { folder } = this
    const [position, evaluator, checkpointer] = [this.#position, this.#evaluator, this.#checkpointer]
    this.#recorder = new StepRecorder({ position, evaluator, checkpointer, folder, options })
    this.#agreement = new SamplerAgreement(policy.dtype, options.onWarning)
    this.#profile = new StepProfile(options.profile)
    this.#flops = new ModelFlops(policy.shape, policy.lora)
  }

  /** Steps completed so far. */
  get step(): number {
    return this.#step
  }

  /**
   * Trains until the last stage is over. Where the signal aborts, the step that was under way is given up, the last
   * completed one is saved, and the result says so. Where anything fails, the last completed step is saved too, unless
   * an update of the step that failed has changed the weights already.
   *
   * @throws ConfigError where `output` already holds a run that was not resumed
   */
  async run(signal?: AbortSignal): Promise<RunResult> {
    if (!this.#started) await this.folder?.requireUnused()
    this.#started = true
    await this.folder?.writeConfig(this.#options.settings ?? this.config)
    const before = this.#seconds()
    const clock = new Stopwatch()
    this.#seconds = () => before + clock.total()
    let interrupted = false
    try {
      // The first evaluation, or the one that a resumed run was stopped in.
      await this.#recorder.evaluateAgain(this.#step, signal)
      while (!this.#position.done) await this.#profile.record((profile) => this.#trainStep(signal, profile))
      await this.#recorder.evaluateAgain(this.#step, signal)
    } catch (error) {
      if (!isAbort(error, signal)) {
        // Where saving fails as well, the first error is the cause.
        await this.#checkpointer?.written().catch(() => {})
        await this.#save().catch(() => {})
        throw error
      }
      interrupted = true
    }
    await this.#save()
    const seconds = this.#seconds()
    this.#seconds = () => seconds
    return {
      steps: this.#step,
      seconds,
      interrupted,
      accuracyBefore: this.#evaluator?.accuracyAt(0) ?? null,
      accuracyAfter: (this.#position.done ? this.#evaluator?.accuracyAt(this.#step) : undefined) ?? null,
    }
  }

  /** One training step: rollouts, their grades, and the updates that follow from them; its checkpoint, where one is due, is complete. */
  async trainStep(signal?: AbortSignal): Promise<StepReport> {
    const report = await this.#profile.record((profile) => this.#trainStep(signal, profile))
    await this.#checkpointer?.written()
    return report
  }

  async #trainStep(signal: AbortSignal | undefined, profile: Profile | undefined): Promise<StepReport> {
    signal?.throwIfAborted()
    this.#checkpointer?.check()
    const step = this.#step + 1
    const peakFlops = await this.#options.policy.peakFlops()
    const clock = new Stopwatch(profile)
    const counts = new RolloutCounts()
    const before = this.#position.state()
    try {
      const transition = await this.#advance(step)
      const { stage, stageNumber } = this.#position
      const groups = await this.#collector.collect(step, this.#position, { clock, counts, signal, profile })
      const kept = groups.filter((group) => !group.rejected)
      const entropy = estimateEntropy(trainedRollouts(kept.length > 0 ? kept : groups, stage))
      const rates = this.#position.rates(step, entropy, kept)
      const updates = await clock.time('update', () => this.#update(kept, rates, signal))
      this.#position.observe(entropy, kept)
      const place = { step, stage: stageNumber, updatesPerStep: updatesPerStep(stage) }
      const metrics = stepMetrics({ ...place, groups, updates, entropy, rates })
      this.#position.record(metrics, groups)
      this.#step = step
      this.#whole = false
      const report: StepReport = { step, metrics, groups, transition, evaluations: [] }
      const work = { groups, counts, updates, trained: trainedPrompts(kept, stage), flops: this.#flops, peakFlops }
      await this.#record(report, clock, work, signal)
      return report
    } catch (error) {
      if (this.#step < step) this.#position.restore(before)
      throw error
    }
  }

  /**
   * Goes on from a checkpoint of `output`: weights, optimizer, controller, stage and prompt stream are restored, and what
   * the run wrote past it is dropped. Without a checkpoint the run starts again from its beginning.
   *
   * @throws ConfigError where the seed or the prompts are not those of the run, whose position in them is restored
   */
  async resume(checkpoint: RunCheckpoint | undefined): Promise<void> {
    if (checkpoint) {
      const { state, path } = checkpoint
      this.#checkpointer?.resume(state)
      await this.#options.policy.loadOptimizer(optimizerPath(path))
      this.#position.restore(state)
      this.#step = state.step
      this.#seconds = () => state.seconds
    }
    this.#started = true
    await this.#checkpointer?.prune()
    await this.folder?.truncateAfter(this.#step, checkpoint?.state.evaluated)
    await this.#evaluator?.resume()
  }

  /** Begins the next stage where the one before is over. */
  async #advance(step: number): Promise<StageTransition | undefined> {
    const transition = this.#position.advance(step)
    if (!transition) return undefined
    if (transition.resetOptimizer) await this.#options.policy.resetOptimizer()
    this.#options.onStage?.(transition, this.#position.stage)
    return transition
  }

  async #update(
    kept: readonly RolloutGroup[],
    rates: UpdateRates,
    signal: AbortSignal | undefined,
  ): Promise<StepStats[]> {
    const { policy, onProgress, onWarning } = this.#options
    const { stage } = this.#position
    onProgress?.({ step: this.#step + 1, phase: 'update' })
    const onUpdate = () => {
      this.#whole = false
    }
    const options = { stage, ...rates, referencePolicy: referenceOf(this.#options), signal, onUpdate, onWarning }
    const updates = await updatePolicy(policy, kept, options)
    this.#agreement.check(this.#step + 1, updates)
    return updates
  }

  /** Evaluation, metrics, records and checkpoint. */
  async #record(report: StepReport, clock: Stopwatch, work: StepWork, signal: AbortSignal | undefined): Promise<void> {
    const finish = () => ({ ...timingMetrics(clock, report.groups), ...performanceMetrics(clock, work) })
    await this.#recorder.record(report, { clock, seconds: this.#seconds, signal }, finish, () => {
      this.#whole = true
      this.#options.onStep?.(report)
    })
  }

  /** Saves the last completed step, unless it is saved or the weights are no longer its own. */
  async #save(): Promise<void> {
    if (this.#whole) await this.#recorder.save(this.#step, this.#seconds())
    else await this.#checkpointer?.written()
  }
}
