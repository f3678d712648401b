import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { readFolderTensors, readTensors } from '../checkpoint/safetensors.ts'
import type { CancelHandle, Device, DType, ModelShape, NativeAddon, PolicyHandle } from '../native/contract.ts'
import type { NativeCompletion } from '../native/generation-contract.ts'
import { loadAddon } from '../native/load.ts'
import type { NativeBatch, NativeScores, NativeStepStats, NativeTrainingBatch } from '../native/training-contract.ts'
import { readAdapter } from './adapter-folder.ts'
import { callNative, rethrow } from './call-native.ts'
import {
  type CreateOptions,
  createRules,
  type GenerateOptions,
  generateRules,
  type LoadOptions,
  type LossOptions,
  loadRules,
  lossRules,
  type ScoreOptions,
  scoreRules,
  type TrainStepOptions,
  trainingBatchKeys,
  trainStepRules,
} from './call-options.ts'
import { checkTensors, expectedTensors } from './check-tensors.ts'
import { type Lora, loraOf, newLora } from './lora.ts'
import { type ModelConfig, modelShape, namedConfig } from './model-config.ts'
import { invalid, refuseUnknownKeys, resolveOptions } from './options.ts'
import { type GeneratePrompt, nativePrompt } from './prompts.ts'
import { readJson } from './read-json.ts'
import { PolicySnapshot } from './snapshot.ts'

/** S sequences on one axis of N tokens, packed, never padded; R response tokens in all. */
export type Batch = NativeBatch

/** A batch, one advantage a sequence, and what else is known of its response tokens. */
export type TrainingBatch = NativeTrainingBatch

export type Scores = NativeScores
export type StepStats = NativeStepStats
export type Completion = NativeCompletion

export type { GeneratePrompt }

export interface Generated {
  completions: Completion[]
}

/**
 * A causal language model that scores, samples and learns. Its weights live natively; every call that computes runs on
 * one thread of the process in the order of the calls and returns a promise, so the event loop stays free. Inputs
 * are copied at call time. All errors are `NativeError`s, but an aborted call rejects with the signal's reason.
 *
 * ```ts
 * const policy = await Policy.load('models/SmolLM2-135M-Instruct', { dtype: 'bfloat16' })
 * const [group] = await policy.generate([{ promptTokenIds, n: 8 }], { maxNewTokens: 64, seed: 1 })
 * console.log(group?.completions)
 * policy.dispose()
 * ```
 */
export class Policy implements Disposable {
  /** config.json as it was read. */
  readonly config: ModelConfig
  readonly shape: ModelShape
  readonly device: Device
  readonly dtype: DType
  /** The adapter that is trained in place of the model; undefined: the whole model is trained. */
  readonly lora: Lora | undefined
  readonly #addon: NativeAddon
  readonly #handle: PolicyHandle
  /** The folder it was loaded from. */
  readonly #source: string | undefined
  #disposed = false

  private constructor(
    addon: NativeAddon,
    handle: PolicyHandle,
    model: Pick<Policy, 'config' | 'shape' | 'device' | 'dtype' | 'lora'> & { source?: string },
  ) {
    this.#addon = addon
    this.#handle = handle
    this.config = model.config
    this.shape = model.shape
    this.device = model.device
    this.dtype = model.dtype
    this.lora = model.lora && loraOf(model.lora)
    this.#source = model.source
  }

  /**
   * Reads a Hugging Face folder: config.json and model.safetensors, or its shards. Qwen2, Qwen3 and Llama. With `lora`
   * it gets a new adapter, with `adapter` one of PEFT's folders.
   *
   * @throws NativeError FILE, UNSUPPORTED or INVALID_ARGUMENT, naming the file, the field or tensor and its value
   */
  static async load(dir: string, options: LoadOptions = {}): Promise<Policy> {
    const { lora: given, adapter, ...compute } = resolveOptions('Policy.load options', options, loadRules)
    if (given && adapter) invalid('Policy.load options.adapter', 'absent where lora is given', adapter)
    const config = (await readJson(join(dir, 'config.json'), 'give a Hugging Face model folder')) as ModelConfig
    const shape = modelShape(config, join(dir, 'config.json'))
    const tensors = await readFolderTensors(dir)
    checkTensors(dir, expectedTensors(shape), tensors)
    const lora =
      adapter === undefined ? given && newLora('Policy.load options.lora', given) : await readAdapter(adapter, shape)
    const addon = loadAddon()
    const handle = await addon.loadPolicy(shape, tensors, { ...compute, ...(lora && { lora }) }).catch(rethrow)
    return new Policy(addon, handle, { config, shape, ...compute, lora, source: dir })
  }

  /**
   * A policy with random weights (normal, `initializer_range`), the same for the same seed.
   *
   * @param config the fields of a Hugging Face config.json
   */
  static async create(config: ModelConfig, options: CreateOptions = {}): Promise<Policy> {
    const { seed, lora: given, ...compute } = resolveOptions('Policy.create options', options, createRules)
    const shape = modelShape(config, 'config')
    const lora = given && newLora('Policy.create options.lora', given)
    const addon = loadAddon()
    const handle = await addon
      .createPolicy(shape, { ...compute, seed: BigInt.asUintN(64, BigInt(seed)), ...(lora && { lora }) })
      .catch(rethrow)
    return new Policy(addon, handle, { config: namedConfig(structuredClone(config)), shape, ...compute, lora })
  }

  /**
   * Log-prob and full-vocabulary entropy of each response token at the temperature, nats. A training batch will do: what
   * it has beside the sequences is not looked at.
   */
  async score(batch: Batch, options: ScoreOptions = {}): Promise<Scores> {
    const { signal, ...native } = resolveOptions('score options', options, scoreRules)
    refuseUnknownKeys('score batch', batch, trainingBatchKeys)
    if (!native.adapter && !this.lora) invalid('score options.adapter', 'true, as this policy has no adapter', false)
    return this.#call(signal, (cancel) => this.#addon.score(this.#handle, batch, native, cancel))
  }

  /** Samples completions: one entry a prompt, in the order of the prompts. */
  async generate(prompts: readonly GeneratePrompt[], options: GenerateOptions): Promise<Generated[]> {
    const resolved = resolveOptions('generate options', options, generateRules)
    const {
      signal,
      onProgress,
      onGroup,
      onStats,
      seed = randomBytes(8).readBigUInt64LE(),
      stopTokenIds,
      ...native
    } = resolved
    if (!Array.isArray(prompts) || prompts.length === 0)
      invalid('generate prompts', 'an array of at least one prompt', prompts)
    const requests = prompts.map((prompt, index) => nativePrompt(prompt, index, seed))
    const report = onProgress && ((tokens: number, finished: number) => onProgress({ tokens, finished }))
    const { completions, stats } = await this.#call(signal, (cancel) =>
      this.#addon.generate(
        this.#handle,
        requests,
        { ...native, stopTokenIds: Int32Array.from(stopTokenIds) },
        cancel,
        report,
        onGroup,
      ),
    )
    onStats?.(stats)
    return completions.map((completions) => ({ completions }))
  }

  /** The loss and its gradient, which {@link gradient} reads; weights and optimizer stay as they are. */
  async computeGradients(batch: TrainingBatch, options: LossOptions = {}): Promise<StepStats> {
    const { signal, ...native } = resolveOptions('computeGradients options', options, lossRules)
    refuseUnknownKeys('computeGradients batch', batch, trainingBatchKeys)
    return this.#call(signal, (cancel) => this.#addon.computeGradients(this.#handle, batch, native, cancel))
  }

  /**
   * One update: the loss of Skywork-OR1, eq 3.1, over the whole batch, its gradient and one AdamW step. Without
   * `oldLogprobs` the ratio is exactly 1. A loss or gradient that is not finite changes nothing: `skipped` is true.
   */
  async trainStep(batch: TrainingBatch, options: TrainStepOptions = {}): Promise<StepStats> {
    const { signal, betas, ...rest } = resolveOptions('trainStep options', options, trainStepRules)
    refuseUnknownKeys('trainStep batch', batch, trainingBatchKeys)
    const native = { ...rest, beta1: betas[0], beta2: betas[1] }
    return this.#call(signal, (cancel) => this.#addon.trainStep(this.#handle, batch, native, cancel))
  }

  /**
   * Names as in Hugging Face checkpoints, in the order of the layers; a tied output embedding is not listed again. Then
   * the tensors of the adapter, as PEFT names them.
   */
  parameterShapes(): { name: string; shape: number[] }[] {
    try {
      return this.#addon.parameterShapes(this.#handle)
    } catch (error) {
      return rethrow(error)
    }
  }

  /** A copy of the float32 master of one parameter, row-major. */
  async parameter(name: string): Promise<Float32Array> {
    return this.#call(undefined, () => this.#addon.parameter(this.#handle, name))
  }

  /**
   * A copy of one parameter's gradient of the last {@link computeGradients}; the next {@link trainStep} uses it up. With
   * `lora` only the adapter has gradients.
   */
  async gradient(name: string): Promise<Float32Array> {
    return this.#call(undefined, () => this.#addon.gradient(this.#handle, name))
  }

  /** [V] logits after the last of these tokens, temperature 1. */
  async logits(tokenIds: Int32Array): Promise<Float32Array> {
    return this.#call(undefined, () => this.#addon.logits(this.#handle, tokenIds))
  }

  /**
   * Writes a Hugging Face folder that transformers and vLLM load: weights in the compute type, sharded above 5 GB,
   * config.json, and the tokenizer's files of the folder it was loaded from. A new folder appears complete or not at
   * all; in an existing one each file is replaced atomically. An adapter is merged into the weights.
   */
  async save(dir: string): Promise<void> {
    await this.#write((snapshot) => snapshot.save(dir))
  }

  /**
   * Writes the adapter as a folder that PEFT and `Policy.load(dir, { adapter })` load: adapter_model.safetensors in
   * float32 and adapter_config.json.
   */
  async saveAdapter(dir: string): Promise<void> {
    await this.#write((snapshot) => snapshot.saveAdapter(dir))
  }

  /** Writes float32 masters, both moments and the step count as one safetensors file, atomically. */
  async saveOptimizer(path: string): Promise<void> {
    await this.#write((snapshot) => snapshot.saveOptimizer(path))
  }

  /** What it is after the calls made so far: to be written while it trains on. */
  async snapshot(): Promise<PolicySnapshot> {
    const { config, dtype, lora } = this
    const model = { config, dtype, lora, source: this.#source, parameters: this.parameterShapes() }
    const handle = await this.#call(undefined, () => this.#addon.snapshot(this.#handle))
    return new PolicySnapshot(this.#addon, handle, model)
  }

  /** Takes up what {@link saveOptimizer} wrote for a policy of the same shape. */
  async loadOptimizer(path: string): Promise<void> {
    const tensors = readTensors(path)
    return this.#call(undefined, () => this.#addon.loadOptimizer(this.#handle, tensors))
  }

  /** Starts AdamW anew: moments and step count as of a new policy. The weights stay. */
  async resetOptimizer(): Promise<void> {
    return this.#call(undefined, () => this.#addon.resetOptimizer(this.#handle))
  }

  /**
   * Floating point operations a second that its device does at best in its compute type: large matrix products, measured
   * once a process in 0.2 s.
   */
  async peakFlops(): Promise<number> {
    return this.#call(undefined, () => this.#addon.peakFlops(this.#handle))
  }

  get disposed(): boolean {
    return this.#disposed
  }

  /** Frees the weights once the calls already made are done; later calls reject. Idempotent. */
  dispose(): void {
    this.#disposed = true
    this.#addon.disposePolicy(this.#handle)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  async #write(write: (snapshot: PolicySnapshot) => Promise<void>): Promise<void> {
    const snapshot = await this.snapshot()
    await write(snapshot).finally(() => snapshot.dispose())
  }

  #call<T>(signal: AbortSignal | undefined, start: (cancel?: CancelHandle) => Promise<T>): Promise<T> {
    return callNative(this.#addon, signal, start)
  }
}
