import { optimizerPath, type RunCheckpoint } from '../checkpoint/run-checkpoint.ts'
import { ConfigError } from '../config/config-error.ts'
import { parseRecipe } from '../config/recipe.ts'
import type { RecipeConfig } from '../config/recipe-schema.ts'
import type { EntropyControllerState } from '../control/entropy-controller.ts'
import { type EvaluationResult, evaluationMetrics } from '../evaluate/evaluate.ts'
import { Evaluator } from '../evaluate/evaluator.ts'
import { RunFolder } from '../metrics/run-folder.ts'
import { estimateEntropy, type Metrics, stepMetrics, timingMetrics } from '../metrics/step-metrics.ts'
import { Stopwatch } from '../metrics/stopwatch.ts'
import type { StepStats } from '../policy/policy.ts'
import { LocalEngine } from '../rollout/local-engine.ts'
import type { RolloutGroup } from '../rollout/rollout.ts'
import { requireEvaluationMetrics } from '../stage/convergence.ts'
import { resolveStages, type Stage } from '../stage/resolve-stages.ts'
import { StageScheduler, type StageState, type StageTransition } from '../stage/stage-scheduler.ts'
import { FunctionVerifier } from '../verify/function-verifier.ts'
import type { Verifier } from '../verify/verifier.ts'
import { isAbort } from './abort.ts'
import { Checkpointer } from './checkpointer.ts'
import { type Collection, collectGroups } from './collect-groups.ts'
import { entropyControl } from './entropy-control.ts'
import { grade, trainedRollouts } from './grade.ts'
import { learningRateAt } from './learning-rate.ts'
import { referenceOf } from './reference.ts'
import type { RunResult, StepReport, TrainerOptions, TrainerProgress } from './trainer-options.ts'
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
  readonly #verifier: Pick<Verifier, 'verify'>
  readonly #engine: LocalEngine
  readonly #scheduler: StageScheduler
  readonly #evaluator: Evaluator | undefined
  readonly #checkpointer: Checkpointer | undefined
  #control: ReturnType<typeof entropyControl>
  #started = false
  #step = 0
  /** Weights, counters and records are those of `#step`: no update or record of a failed step lies between. */
  #whole = true
  #seconds = () => 0

  /** @throws ConfigError where the config is wrong, or prompts, a reference policy or evaluations it needs are missing */
  constructor(options: TrainerOptions) {
    this.config = parseRecipe(options.config ?? {})
    const stages = resolveStages(this.config)
    const { policy, tokenizer, prompts, verifier, evaluation } = options
    if (prompts.length === 0) throw new ConfigError("'prompts': expected at least one prompt; got none")
    if (stages.some(({ klCoefficient }) => klCoefficient > 0) && !referenceOf(options))
      throw new ConfigError("'referencePolicy': expected a policy, as klCoefficient is above 0; it is missing")
    requireEvaluationMetrics(stages, evaluation && { every: evaluation.every })
    this.#options = options
    this.#verifier =
      typeof verifier === 'function' ? new FunctionVerifier(verifier.name || 'reward', verifier) : verifier
    this.#engine = new LocalEngine(policy, tokenizer)
    this.#scheduler = new StageScheduler(stages, prompts, { seed: this.config.seed, epochs: options.epochs })
    this.#control = entropyControl(this.#stage.entropy)
    this.folder = options.output === undefined ? undefined : new RunFolder(options.output)
    this.#checkpointer = this.folder && new Checkpointer(this.folder, policy, prompts, this.config)
    if (evaluation) this.#evaluator = new Evaluator(this.#engine, this.#verifier, evaluation, this.folder)
  }

  /** Steps completed so far. */
  get step(): number {
    return this.#step
  }

  get #stage(): Stage {
    return this.#scheduler.stage
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
      await this.#evaluateAgain(signal)
      while (!this.#scheduler.done) await this.trainStep(signal)
      await this.#evaluateAgain(signal)
    } catch (error) {
      if (!isAbort(error, signal)) {
        // Where saving fails as well, the first error is the cause.
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
      accuracyAfter: (this.#scheduler.done ? this.#evaluator?.accuracyAt(this.#step) : undefined) ?? null,
    }
  }

  /** One training step: rollouts, their grades, and the updates that follow from them. */
  async trainStep(signal?: AbortSignal): Promise<StepReport> {
    signal?.throwIfAborted()
    const step = this.#step + 1
    const clock = new Stopwatch()
    const before = this.#position()
    try {
      const transition = await this.#advance(step)
      const stage = this.#stage
      const groups = await this.#collect(step, clock, signal)
      const kept = groups.filter((group) => !group.rejected)
      const entropy = estimateEntropy(trainedRollouts(kept.length > 0 ? kept : groups, stage))
      const { controller, estimator } = this.#control
      const coefficient = controller.coefficient
      const appliedCoefficient = kept.length > 0 ? controller.applied(entropy[estimator]) : 0
      const learningRate = learningRateAt(step - this.#scheduler.resetAt, stage)
      const updates = await clock.time('update', () =>
        this.#update(kept, { learningRate, entropyCoefficient: appliedCoefficient }, signal),
      )
      if (kept.length > 0) controller.observe(entropy[estimator])
      const place = { step, stage: this.#scheduler.number, updatesPerStep: updatesPerStep(stage) }
      const metrics = stepMetrics({ ...place, groups, updates, entropy, coefficient, appliedCoefficient, learningRate })
      this.#scheduler.record(metrics, groups)
      this.#step = step
      this.#whole = false
      return await this.#record({ step, metrics, groups, transition, evaluations: [] }, updates, clock, signal)
    } catch (error) {
      if (this.#step < step) this.#restore(before)
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
      this.#restore(state)
      this.#step = state.step
      this.#seconds = () => state.seconds
    }
    this.#started = true
    await this.#checkpointer?.prune()
    await this.folder?.truncateAfter(this.#step, checkpoint?.state.evaluated)
    await this.#evaluator?.resume()
  }

  #position(): { controller: EntropyControllerState; stages: StageState } {
    return { controller: this.#control.controller.state(), stages: this.#scheduler.state() }
  }

  #restore({ controller, stages }: { controller: EntropyControllerState; stages: StageState }): void {
    this.#scheduler.restore(stages)
    this.#control = entropyControl(this.#stage.entropy)
    this.#control.controller.restore(controller)
  }

  /** Begins the next stage where the one before is over; the controller's state goes on where its kind is the same. */
  async #advance(step: number): Promise<StageTransition | undefined> {
    const transition = this.#scheduler.advance(step)
    if (!transition) return undefined
    const state = this.#control.controller.state()
    this.#control = entropyControl(this.#stage.entropy)
    const { controller } = this.#control
    if (!transition.resetController && controller.state().kind === state.kind) controller.restore(state)
    if (transition.resetOptimizer) await this.#options.policy.resetOptimizer()
    this.#options.onStage?.(transition, this.#stage)
    return transition
  }

  #collect(step: number, clock: Stopwatch, signal: AbortSignal | undefined): Promise<RolloutGroup[]> {
    const stage = this.#stage
    const { groupSize, maxResponseLength, temperature, topP, topK, maxBatchSize } = stage
    const sampling = { samples: groupSize, maxResponseLength, temperature, topP, topK, maxBatchSize }
    const { onProgress } = this.#options
    const rollout: Collection['rollout'] = (prompts, round, onGroup) =>
      this.#engine.rollout(prompts, sampling, {
        onGroup,
        seeds: round === 0 ? [this.config.seed, step] : [this.config.seed, step, round],
        signal,
        onProgress: ({ tokens }) => onProgress?.({ step, phase: 'rollout', tokens }),
      })
    return collectGroups({
      ...{ stage, stream: this.#scheduler.stream, rollout, clock },
      grade: (sampled) => grade(sampled, this.#verifier, stage, signal),
    })
  }

  #update(
    kept: readonly RolloutGroup[],
    rates: { learningRate: number; entropyCoefficient: number },
    signal: AbortSignal | undefined,
  ): Promise<StepStats[]> {
    const { policy, onProgress } = this.#options
    const referencePolicy = referenceOf(this.#options)
    onProgress?.({ step: this.#step + 1, phase: 'update' })
    const onUpdate = () => {
      this.#whole = false
    }
    return updatePolicy(policy, kept, { stage: this.#stage, ...rates, referencePolicy, signal, onUpdate })
  }

  async #evaluate(signal: AbortSignal | undefined): Promise<EvaluationResult[]> {
    const step = this.#step
    if (!this.#evaluator || !(this.#evaluator.isDue(step) || this.#scheduler.done)) return []
    const results = await this.#evaluator.run(step, signal, ({ tokens }) =>
      this.#options.onProgress?.({ step, phase: 'evaluate', tokens }),
    )
    if (results.length > 0) {
      const metrics: Record<string, number> = Object.assign({}, ...results.map(evaluationMetrics))
      const { every } = this.#options.evaluation!
      requireEvaluationMetrics(this.#scheduler.stages, { every, metrics: Object.keys(metrics) })
      if (step > 0) this.#scheduler.recordEvaluation(metrics)
    }
    return results
  }

  /** The evaluation that the last step lacks, where it was stopped in it; its metrics join those of the step. */
  async #evaluateAgain(signal: AbortSignal | undefined): Promise<void> {
    const results = await this.#evaluate(signal)
    if (results.length > 0)
      await this.folder?.addToStep(this.#step, Object.assign({}, ...results.map(evaluationMetrics)))
  }

  /** Evaluation, records and checkpoint of a step whose updates are done: nothing that stops the evaluation undoes it. */
  async #record(
    report: StepReport,
    updates: StepStats[],
    clock: Stopwatch,
    signal: AbortSignal | undefined,
  ): Promise<StepReport> {
    const { step, groups, transition } = report
    const { folder } = this
    let failed: { error: unknown } | undefined
    report.evaluations = await clock
      .time('evaluate', () => this.#evaluate(signal))
      .catch((error) => {
        if (!isAbort(error, signal)) failed = { error }
        return []
      })
    const due = this.#scheduler.done || this.#checkpointer?.isDue(step)
    const checkpoint = due ? await clock.time('checkpoint', () => this.#prepareCheckpoint()) : undefined

    const timing = timingMetrics(clock, groups, updates)
    const line: Metrics = Object.assign(report.metrics, ...report.evaluations.map(evaluationMetrics), timing)
    // The line is durable before the checkpoint exists, so that a run resumed from it has every line up to it.
    if (transition) await folder?.stages.append(transition)
    await folder?.writeRollouts(step, groups)
    await folder?.metrics.append(line)
    this.#whole = true
    await checkpoint?.commit()
    this.#options.onStep?.(report)
    if (failed) throw failed.error
    return report
  }

  /** Saves the last completed step, unless it is saved or the weights are no longer its own. */
  async #save(): Promise<void> {
    if (this.#whole && this.#checkpointer && this.#step > this.#checkpointer.savedStep)
      await (await this.#prepareCheckpoint())?.commit()
  }

  #prepareCheckpoint(): Promise<{ commit(): Promise<void> }> | undefined {
    const step = this.#step
    this.#options.onProgress?.({ step, phase: 'checkpoint' })
    const evaluated = this.#evaluator?.accuracyAt(step) !== undefined
    return this.#checkpointer?.prepare({ step, evaluated, ...this.#position(), seconds: this.#seconds() })
  }
}
