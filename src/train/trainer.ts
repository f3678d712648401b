import { createHash } from 'node:crypto'
import {
  optimizerPath,
  prepareCheckpoint,
  pruneCheckpoints,
  type RunCheckpoint,
  type TrainerState,
} from '../checkpoint/run-checkpoint.ts'
import { ConfigError } from '../config/config-error.ts'
import { parseRecipe } from '../config/recipe.ts'
import type { RecipeConfig } from '../config/recipe-schema.ts'
import type { EntropyController } from '../control/entropy-controller.ts'
import type { Prompt } from '../data/prompt.ts'
import { PromptStream } from '../data/prompt-stream.ts'
import { type EvaluationResult, evaluationMetrics } from '../evaluate/evaluate.ts'
import { Evaluator } from '../evaluate/evaluator.ts'
import { RunFolder } from '../metrics/run-folder.ts'
import { estimateEntropy, type Metrics, stepMetrics, timingMetrics } from '../metrics/step-metrics.ts'
import { Stopwatch } from '../metrics/stopwatch.ts'
import type { StepStats } from '../policy/policy.ts'
import { LocalEngine } from '../rollout/local-engine.ts'
import type { RolloutGroup } from '../rollout/rollout.ts'
import { FunctionVerifier } from '../verify/function-verifier.ts'
import type { Verifier } from '../verify/verifier.ts'
import { isAbort } from './abort.ts'
import { entropyControl } from './entropy-control.ts'
import { grade, trainedRollouts } from './grade.ts'
import { learningRateAt } from './learning-rate.ts'
import { referenceOf } from './reference.ts'
import type { RunResult, StepReport, TrainerOptions, TrainerProgress } from './trainer-options.ts'
import { updatePolicy } from './update.ts'

export type { RunResult, StepReport, TrainerOptions, TrainerProgress }

/**
 * Trains a policy by GRPO with adaptive entropy control (Skywork-OR1, eq 2.5, 3.1 and 3.2).
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
  readonly #stream: PromptStream
  readonly #controller: EntropyController
  readonly #estimator: 'full' | 'sampled'
  readonly #evaluator: Evaluator | undefined
  #started = false
  #step = 0
  #savedStep = 0
  /** Weights, counters and records are those of `#step`: no update or record of a failed step lies between. */
  #whole = true
  #seconds = () => 0

  /** @throws ConfigError where the config is wrong, there are no prompts, or a reference policy is missing */
  constructor(options: TrainerOptions) {
    this.config = parseRecipe(options.config ?? {})
    if (options.prompts.length === 0) throw new ConfigError("'prompts': expected at least one prompt; got none")
    if (this.config.klCoefficient > 0 && !referenceOf(options))
      throw new ConfigError("'referencePolicy': expected a policy, as klCoefficient is above 0; it is missing")
    this.#options = options
    this.folder = options.output === undefined ? undefined : new RunFolder(options.output)
    const { verifier } = options
    this.#verifier =
      typeof verifier === 'function' ? new FunctionVerifier(verifier.name || 'reward', verifier) : verifier
    this.#engine = new LocalEngine(options.policy, options.tokenizer)
    this.#stream = new PromptStream(options.prompts, { seed: this.config.seed })
    const { controller, estimator } = entropyControl(this.config.entropy)
    this.#controller = controller
    this.#estimator = estimator
    if (options.evaluation)
      this.#evaluator = new Evaluator(this.#engine, this.#verifier, options.evaluation, this.folder)
  }

  /** Steps completed so far. */
  get step(): number {
    return this.#step
  }

  /**
   * Trains until `config.steps` are done. Where the signal aborts, the step that was under way is given up, the last
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
      await this.#evaluate(this.#step, signal)
      while (this.#step < this.config.steps) await this.trainStep(signal)
      await this.#evaluate(this.#step, signal)
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
      accuracyAfter: this.#evaluator?.accuracyAt(this.config.steps) ?? null,
    }
  }

  /** One training step: rollouts, their grades, and the updates that follow from them. */
  async trainStep(signal?: AbortSignal): Promise<StepReport> {
    signal?.throwIfAborted()
    const { config } = this
    const step = this.#step + 1
    const clock = new Stopwatch()
    const streamBefore = this.#stream.state()
    try {
      const prompts = this.#stream.next(config.promptsPerStep)
      const sampled = await clock.time('rollout', () => this.#rollout(prompts, step, signal))
      const groups = await clock.time('verify', () => grade(sampled, this.#verifier, config, signal))
      const kept = groups.filter((group) => !group.rejected)
      const entropy = estimateEntropy(trainedRollouts(kept.length > 0 ? kept : groups, config))
      const observed = entropy[this.#estimator]
      const coefficient = this.#controller.coefficient
      const appliedCoefficient = kept.length > 0 ? this.#controller.applied(observed) : 0
      const learningRate = learningRateAt(step, config)
      const updates = await clock.time('update', () =>
        this.#update(kept, { learningRate, entropyCoefficient: appliedCoefficient }, signal),
      )
      if (kept.length > 0) this.#controller.observe(observed)
      this.#step = step
      this.#whole = false
      const metrics = stepMetrics({ step, groups, updates, entropy, coefficient, appliedCoefficient, learningRate })
      return await this.#record(metrics, groups, updates, clock, signal)
    } catch (error) {
      if (this.#step < step) this.#stream.restore(streamBefore)
      throw error
    }
  }

  /**
   * Goes on from a checkpoint of `output`: weights, optimizer, controller and prompt stream are restored, and what the
   * run wrote past it is dropped. Without a checkpoint the run starts again from its beginning.
   *
   * @throws ConfigError where the seed or the prompts are not those of the run, whose position in them is restored
   */
  async resume(checkpoint: RunCheckpoint | undefined): Promise<void> {
    if (checkpoint) {
      const { state, path } = checkpoint
      this.#requireSameStream(state)
      await this.#options.policy.loadOptimizer(optimizerPath(path))
      this.#controller.restore(state.controller)
      this.#stream.restore(state.stream)
      this.#step = state.step
      this.#savedStep = state.step
      this.#seconds = () => state.seconds
    }
    this.#started = true
    await this.folder?.truncateAfter(this.#step)
    await this.#evaluator?.resume()
  }

  #requireSameStream(state: TrainerState): void {
    const { seed } = this.config
    if (state.seed !== seed)
      throw new ConfigError(
        `'seed': ${seed}, but the run that is resumed had ${state.seed}, which shuffles its prompts; give seed=${state.seed}`,
      )
    const { prompts } = this.#options
    if (state.promptCount !== prompts.length)
      throw new ConfigError(
        `'data.train': ${prompts.length} prompts, but the run that is resumed had ${state.promptCount}; give the same data`,
      )
    if (state.promptHash !== hashPrompts(prompts))
      throw new ConfigError(
        `'data.train': other prompts, or in another order, than the run that is resumed had; give the same data`,
      )
  }

  #rollout(prompts: readonly Prompt[], step: number, signal: AbortSignal | undefined) {
    const { seed, groupSize, maxResponseLength, temperature, topP, topK, maxBatchSize } = this.config
    const sampling = { samples: groupSize, maxResponseLength, temperature, topP, topK, maxBatchSize }
    const onProgress = ({ tokens }: { tokens: number }) =>
      this.#options.onProgress?.({ step, phase: 'rollout', tokens })
    return this.#engine.rollout(prompts, sampling, { seeds: [seed, step], signal, onProgress })
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
    return updatePolicy(policy, kept, { config: this.config, ...rates, referencePolicy, signal, onUpdate })
  }

  async #evaluate(step: number, signal: AbortSignal | undefined): Promise<EvaluationResult[]> {
    if (!this.#evaluator?.isDue(step, this.config.steps)) return []
    return this.#evaluator.run(step, signal, ({ tokens }) =>
      this.#options.onProgress?.({ step, phase: 'evaluate', tokens }),
    )
  }

  /** Evaluation, records and checkpoint of a step whose updates are done: nothing that stops the evaluation undoes it. */
  async #record(
    metrics: Metrics,
    groups: RolloutGroup[],
    updates: StepStats[],
    clock: Stopwatch,
    signal: AbortSignal | undefined,
  ): Promise<StepReport> {
    const { config, folder } = this
    const step = this.#step
    let failed: { error: unknown } | undefined
    const evaluations = await clock
      .time('evaluate', () => this.#evaluate(step, signal))
      .catch((error) => {
        if (!isAbort(error, signal)) failed = { error }
        return []
      })
    const due = step === config.steps || (config.checkpointEvery > 0 && step % config.checkpointEvery === 0)
    const checkpoint = due ? await clock.time('checkpoint', () => this.#prepareCheckpoint()) : undefined

    const line: Metrics = Object.assign(
      metrics,
      ...evaluations.map(evaluationMetrics),
      timingMetrics(clock, groups, updates),
    )
    // The line is durable before the checkpoint exists, so that a run resumed from it has every line up to it.
    await folder?.writeRollouts(step, groups)
    await folder?.metrics.append(line)
    this.#whole = true
    await checkpoint?.commit()
    const report = { step, metrics: line, groups, evaluations }
    this.#options.onStep?.(report)
    if (failed) throw failed.error
    return report
  }

  /** Saves the last completed step, unless it is saved or the weights are no longer its own. */
  async #save(): Promise<void> {
    if (this.#whole && this.#step > this.#savedStep) await (await this.#prepareCheckpoint())?.commit()
  }

  async #prepareCheckpoint(): Promise<{ commit(): Promise<void> } | undefined> {
    const { folder } = this
    if (!folder) return undefined
    const step = this.#step
    this.#options.onProgress?.({ step, phase: 'checkpoint' })
    const state: TrainerState = {
      version: 2,
      step,
      seed: this.config.seed,
      controller: this.#controller.state(),
      stream: this.#stream.state(),
      promptCount: this.#options.prompts.length,
      promptHash: hashPrompts(this.#options.prompts),
      seconds: this.#seconds(),
    }
    const prepared = await prepareCheckpoint(folder.checkpoints, this.#options.policy, state)
    return {
      commit: async () => {
        await prepared.commit()
        this.#savedStep = step
        await pruneCheckpoints(folder.checkpoints, this.config.keepCheckpoints)
      },
    }
  }
}

function hashPrompts(prompts: readonly Prompt[]): string {
  return createHash('sha256')
    .update(prompts.map(({ id }) => id).join('\n'))
    .digest('hex')
}
