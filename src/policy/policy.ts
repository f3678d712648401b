import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readFolderTensors, readTensors, reasonOf } from '../checkpoint/safetensors.ts'
import type {
  CancelHandle,
  Device,
  DType,
  ModelShape,
  NativeAddon,
  NativeBatch,
  NativeCompletion,
  NativeScores,
  NativeStepStats,
  NativeTrainingBatch,
  PolicyHandle,
} from '../native/contract.ts'
import { callError, NativeError } from '../native/errors.ts'
import { loadAddon } from '../native/load.ts'
import { sampleSeed } from '../rollout/sample-seed.ts'
import {
  type CreateOptions,
  createRules,
  type GenerateOptions,
  generateRules,
  type LossOptions,
  lossRules,
  type PolicyOptions,
  policyRules,
  promptKeys,
  type ScoreOptions,
  scoreRules,
  type TrainStepOptions,
  trainingBatchKeys,
  trainStepRules,
} from './call-options.ts'
import { checkTensors } from './check-tensors.ts'
import { type ModelConfig, modelShape, namedConfig } from './model-config.ts'
import { integer, invalid, refuseUnknownKeys, resolveOptions } from './options.ts'
import { savePolicy } from './save-policy.ts'

/** S sequences on one axis of N tokens, packed, never padded; R response tokens in all. */
export type Batch = NativeBatch

/** A batch, one advantage a sequence, and what else is known of its response tokens. */
export type TrainingBatch = NativeTrainingBatch

export type Scores = NativeScores
export type StepStats = NativeStepStats
export type Completion = NativeCompletion

/** One prompt and how many completions of it are asked for. */
export interface GeneratePrompt {
  promptTokenIds: Int32Array
  /** default 1 */
  n?: number | undefined
  /** [n] in place of those that `seed` would make */
  seeds?: BigUint64Array | undefined
}

export interface Generated {
  completions: Completion[]
}

/**
 * A causal language model that scores, samples and learns. Its weights live natively; every call that computes runs on
 * one thread of the process in the order of the calls and returns a promise, so the event loop stays free. Inputs
 * are copied at call time. All errors are {@link NativeError}s, but an aborted call rejects with the signal's reason.
 *
 * ```ts
 * const policy = await Policy.load('models/SmolLM2-135M-Instruct', { dtype: 'bfloat16' })
 * const [{ completions }] = await policy.generate([{ promptTokenIds, n: 8 }], { maxNewTokens: 64, seed: 1 })
 * policy.dispose()
 * ```
 */
export class Policy implements Disposable {
  /** config.json as it was read. */
  readonly config: ModelConfig
  readonly shape: ModelShape
  readonly device: Device
  readonly dtype: DType
  readonly #addon: NativeAddon
  readonly #handle: PolicyHandle
  /** The folder it was loaded from. */
  readonly #source: string | undefined
  #disposed = false

  private constructor(
    addon: NativeAddon,
    handle: PolicyHandle,
    model: { config: ModelConfig; shape: ModelShape; device: Device; dtype: DType; source?: string },
  ) {
    this.#addon = addon
    this.#handle = handle
    this.config = model.config
    this.shape = model.shape
    this.device = model.device
    this.dtype = model.dtype
    this.#source = model.source
  }

  /**
   * Reads a Hugging Face folder: config.json and model.safetensors, or its shards. Qwen2, Qwen3 and Llama.
   *
   * @throws NativeError FILE, UNSUPPORTED or INVALID_ARGUMENT, naming the file, the field or tensor and its value
   */
  static async load(dir: string, options: PolicyOptions = {}): Promise<Policy> {
    const resolved = resolveOptions('Policy.load options', options, policyRules)
    const config = await readConfig(join(dir, 'config.json'))
    const shape = modelShape(config, join(dir, 'config.json'))
    const tensors = await readFolderTensors(dir)
    checkTensors(dir, shape, tensors)
    const addon = loadAddon()
    const handle = await addon.loadPolicy(shape, tensors, resolved).catch(rethrow)
    return new Policy(addon, handle, { config, shape, ...resolved, source: dir })
  }

  /**
   * A policy with random weights (normal, `initializer_range`), the same for the same seed.
   *
   * @param config the fields of a Hugging Face config.json
   */
  static async create(config: ModelConfig, options: CreateOptions = {}): Promise<Policy> {
    const { seed, ...resolved } = resolveOptions('Policy.create options', options, createRules)
    const shape = modelShape(config, 'config')
    const addon = loadAddon()
    const handle = await addon
      .createPolicy(shape, { ...resolved, seed: BigInt.asUintN(64, BigInt(seed)) })
      .catch(rethrow)
    return new Policy(addon, handle, { config: namedConfig(structuredClone(config)), shape, ...resolved })
  }

  /**
   * Log-prob and full-vocabulary entropy of each response token at the temperature, nats. A training batch will do: what
   * it has beside the sequences is not looked at.
   */
  async score(batch: Batch, options: ScoreOptions = {}): Promise<Scores> {
    const { signal, ...native } = resolveOptions('score options', options, scoreRules)
    refuseUnknownKeys('score batch', batch, trainingBatchKeys)
    return this.#call(signal, (cancel) => this.#addon.score(this.#handle, batch, native, cancel))
  }

  /** Samples completions: one entry a prompt, in the order of the prompts. */
  async generate(prompts: readonly GeneratePrompt[], options: GenerateOptions): Promise<Generated[]> {
    const resolved = resolveOptions('generate options', options, generateRules)
    const { signal, onProgress, seed = randomBytes(8).readBigUInt64LE(), stopTokenIds, ...native } = resolved
    if (!Array.isArray(prompts) || prompts.length === 0)
      invalid('generate prompts', 'an array of at least one prompt', prompts)
    const requests = prompts.map((prompt, index) => nativePrompt(prompt, index, seed))
    const report = onProgress && ((tokens: number, finished: number) => onProgress({ tokens, finished }))
    const groups = await this.#call(signal, (cancel) =>
      this.#addon.generate(
        this.#handle,
        requests,
        { ...native, stopTokenIds: Int32Array.from(stopTokenIds) },
        cancel,
        report,
      ),
    )
    return groups.map((completions) => ({ completions }))
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

  /** Names as in Hugging Face checkpoints, in the order of the layers; a tied output embedding is not listed again. */
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

  /** A copy of one parameter's gradient of the last {@link computeGradients}, or of the last {@link trainStep} as clipped. */
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
   * all; in an existing one each file is replaced atomically.
   */
  async save(dir: string): Promise<void> {
    const { config, dtype } = this
    const parameters = this.parameterShapes()
    const write = (path: string, names: string[]) =>
      this.#call(undefined, () => this.#addon.saveParameters(this.#handle, path, names))
    await savePolicy(dir, { config: namedConfig(config), dtype, parameters, source: this.#source }, write).catch(
      rethrow,
    )
  }

  /** Writes float32 masters, both moments and the step count as one safetensors file, atomically. */
  async saveOptimizer(path: string): Promise<void> {
    return this.#call(undefined, () => this.#addon.saveOptimizer(this.#handle, path))
  }

  /** Takes up what {@link saveOptimizer} wrote for a policy of the same shape. */
  async loadOptimizer(path: string): Promise<void> {
    const tensors = readTensors(path)
    return this.#call(undefined, () => this.#addon.loadOptimizer(this.#handle, tensors))
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

  async #call<T>(signal: AbortSignal | undefined, start: (cancel?: CancelHandle) => Promise<T>): Promise<T> {
    signal?.throwIfAborted()
    const cancel = signal && this.#addon.createCancel()
    const abort = () => cancel && this.#addon.cancel(cancel)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      return await start(cancel)
    } catch (error) {
      throw callError(error, signal)
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }
}

async function readConfig(path: string): Promise<ModelConfig> {
  const text = await readFile(path, 'utf8').catch((error) => {
    throw new NativeError('FILE', `cannot read ${path}: ${reasonOf(error)}: give a Hugging Face model folder`)
  })
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new NativeError('FILE', `${path} is not valid JSON: ${(error as Error).message.split('\n')[0]}`)
  }
}

function nativePrompt(prompt: GeneratePrompt, index: number, seed: number | bigint) {
  const what = `generate prompts[${index}]`
  refuseUnknownKeys(what, prompt, promptKeys)
  const { promptTokenIds, n = 1, seeds } = prompt
  const halves = [BigInt(seed) >> 32n, BigInt(seed) & 0xffffffffn].map((half) => Number(BigInt.asUintN(32, half)))
  if (!integer(1, 1).test(n)) invalid(`${what}.n`, integer(1, 1).expected, n)
  if (!(promptTokenIds instanceof Int32Array) || promptTokenIds.length === 0)
    invalid(`${what}.promptTokenIds`, 'an Int32Array of at least one token', promptTokenIds)
  if (seeds !== undefined && !(seeds instanceof BigUint64Array && seeds.length === n))
    invalid(`${what}.seeds`, `a BigUint64Array of n = ${n}`, seeds)
  return {
    promptTokenIds,
    n,
    seeds: seeds ?? BigUint64Array.from({ length: n }, (_, sample) => sampleSeed(...halves, index, sample)),
  }
}

function rethrow(error: unknown): never {
  throw callError(error)
}
