import type { Device, DType } from '../native/contract.ts'
import type { NativeCompletion, NativeGenerateStats } from '../native/generation-contract.ts'
import type { Aggregation } from '../native/training-contract.ts'
import { type LoraOptions, lora } from './lora.ts'
import { absentOr, flag, integer, number, type Option, oneOf, optional, seed, signal } from './options.ts'

/** Where and in which type a policy computes. */
export interface PolicyOptions {
  /** default `cpu` */
  device?: Device | undefined
  /** Type of weights and activations, default `float32`. Masters and optimizer states are float32 always, gradients by `gradientDtype`. */
  dtype?: DType | undefined
  /** Freezes the model and trains a low-rank adapter in its place. */
  lora?: LoraOptions | undefined
}

export interface LoadOptions extends PolicyOptions {
  /** A PEFT adapter folder to go on from, as `saveAdapter` writes it, in place of a new `lora`. */
  adapter?: string | undefined
}

export interface CreateOptions extends PolicyOptions {
  /** Of the random weights, default 0. */
  seed?: number | bigint | undefined
}

interface CallOptions {
  /** Divides the logits, at least 1e-5, default 1. */
  temperature?: number | undefined
  /** Most tokens that go through the layers at once, default 8192. It changes memory and speed, the result by rounding alone. */
  maxTokensPerMicroBatch?: number | undefined
  /**
   * Most memory that one micro-batch takes beside weights and optimizer states, bytes. What does not fit computes layers
   * again in the backward, then is split. Default 0, most of what is free.
   */
  activationBytes?: number | undefined
  /** Stops the call at its next micro-batch; it rejects with the signal's reason and has changed nothing. */
  signal?: AbortSignal | undefined
}

export interface ScoreOptions extends CallOptions {
  /** false: the frozen model without its adapter, the reference of a k3 term. Default true. */
  adapter?: boolean | undefined
}

/** The loss of Skywork-OR1, eq 3.1. */
export interface LossOptions extends CallOptions {
  /** The ratio is clipped to [1 - clipLow, 1 + clipHigh]; 0 to 1, default 0.2. */
  clipLow?: number | undefined
  /** At least 0, default 0.2. */
  clipHigh?: number | undefined
  /** Dual clip c, above 1: where the advantage A is negative, a term is at least c A (Ye et al., 2020). Default 0, off. */
  dualClip?: number | undefined
  /** One ratio a token, or a sequence: exp of its mean log-ratio (GSPO, Zheng et al. 2025). Default `token`. */
  ratioLevel?: 'token' | 'sequence' | undefined
  /**
   * C: the policy term times min(pi_old / pi_sampler, C), no gradient through it; needs `samplerLogprobs`. Default 0, off.
   */
  importanceSamplingCap?: number | undefined
  /**
   * How token terms become one loss: `token-mean` over the whole update (default), `sequence-mean-token-mean` (GRPO), or
   * `sequence-mean-token-sum`, sums over `aggregationConstant` (Dr. GRPO). It holds for the policy, entropy and KL terms.
   */
  aggregation?: Aggregation | undefined
  /** What the token sums of `sequence-mean-token-sum` are divided by, above 0. */
  aggregationConstant?: number | undefined
  /**
   * Multiplies the whole loss (policy, entropy and KL terms) and its gradient; above 0, default 1. Tokens that are in T_k
   * (Skywork-OR1, eq 3.1) but not in the batch count with trained tokens / T_k.
   */
  lossScale?: number | undefined
  /** Weight of the full-vocabulary entropy, default 0. */
  entropyCoefficient?: number | undefined
  /** Weight of k3 to the reference policy, at least 0, default 0; above 0 it needs `referenceLogprobs`. */
  klCoefficient?: number | undefined
  /** Compute every layer again in the backward, not only as many as activationBytes asks for. Default false. */
  activationCheckpointing?: boolean | undefined
  /**
   * Type that gradients of the layers' matrices are kept in: `bfloat16`, of a bfloat16 policy, takes 2 bytes less a
   * parameter and rounds their sum at each micro-batch: for updates of a few. Other gradients are float32. Default `float32`.
   */
  gradientDtype?: DType | undefined
  /** Compute the prompt that consecutive sequences share once, default true. */
  sharePrompts?: boolean | undefined
}

/** AdamW (Loshchilov and Hutter, 2019) and the clip of the gradient's global norm. */
export interface TrainStepOptions extends LossOptions {
  /** default 1e-6 */
  learningRate?: number | undefined
  /** default [0.9, 0.999] */
  betas?: readonly [number, number] | undefined
  /** default 1e-8 */
  epsilon?: number | undefined
  /** default 0.01 */
  weightDecay?: number | undefined
  /** Global 2-norm that the gradient is scaled down to, default 1; 0 switches the clip off. */
  maxGradNorm?: number | undefined
}

export interface GenerateOptions {
  /** Most tokens of a completion, its stop token included. */
  maxNewTokens: number
  /** 0 is greedy, else at least 1e-5; default 1. */
  temperature?: number | undefined
  /** Sample among the likeliest tokens that make up this much probability; default 1, off. */
  topP?: number | undefined
  /** Sample among this many likeliest tokens; default 0, off. */
  topK?: number | undefined
  /** With the indices of prompt and sample it makes each sample's own random stream; default: random. */
  seed?: number | bigint | undefined
  stopTokenIds?: ArrayLike<number> | undefined
  /** Most sequences decoded at once, default 256. */
  maxBatchSize?: number | undefined
  /**
   * Most memory that keys and values take, bytes; where it is full the youngest sequence is computed again later. Default 0,
   * half of what is free.
   */
  kvCacheBytes?: number | undefined
  /** Stops within a token; the call rejects with the signal's reason. */
  signal?: AbortSignal | undefined
  /** Called at most ten times a second. What it throws stops the call and becomes its rejection. */
  onProgress?: ((progress: { tokens: number; finished: number }) => void) | undefined
  /**
   * Called with each prompt's completions once all of them are finished, while others go on; always before the call
   * resolves, in the order in which they finish. What it throws stops the call and becomes its rejection.
   */
  onGroup?: ((group: { prompt: number; completions: NativeCompletion[] }) => void) | undefined
  /** Called once, before the call resolves, with what was computed, shared and computed again. */
  onStats?: ((stats: NativeGenerateStats) => void) | undefined
}

const device = {
  fallback: 'cpu' as Device,
  test: (value) => typeof value === 'string' && /^(cpu|cuda(:\d{1,3})?)$/.test(value),
  expected: '"cpu", "cuda" or "cuda:N"',
} satisfies Option<Device>

const dtype = {
  fallback: 'float32' as DType,
  test: (value) => value === 'float32' || value === 'bfloat16',
  expected: '"float32" or "bfloat16"',
} satisfies Option<DType>

function isTokenIds(value: unknown): value is ArrayLike<number> {
  if (!Array.isArray(value) && !(value instanceof Int32Array)) return false
  return Array.from(value as ArrayLike<unknown>).every(
    (id) => typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < 2 ** 31,
  )
}

function isCallback<T>(value: unknown): value is (report: T) => void {
  return typeof value === 'function'
}

const path = optional((value): value is string => typeof value === 'string' && value !== '', 'a folder')

const policyRules = { device, dtype, lora }
export const loadRules = { ...policyRules, adapter: path }
export const createRules = {
  ...policyRules,
  seed,
}

/** Below it logits / temperature are so large in float32 that their differences are lost. */
export const leastTemperature = 1e-5

const callRules = {
  temperature: number(1, { least: leastTemperature }),
  maxTokensPerMicroBatch: integer(8192, 1),
  activationBytes: integer(0, 0, Number.MAX_SAFE_INTEGER),
  signal,
}

export const scoreRules = { ...callRules, adapter: flag(true) }

export const lossRules = {
  ...callRules,
  clipLow: number(0.2, { least: 0, most: 1 }),
  clipHigh: number(0.2, { least: 0 }),
  dualClip: {
    fallback: 0,
    test: (value) => value === 0 || (typeof value === 'number' && value > 1 && Number.isFinite(value)),
    expected: 'a number above 1, or 0 for none',
  } satisfies Option<number>,
  ratioLevel: oneOf(['token', 'sequence']),
  importanceSamplingCap: number(0, { least: 0 }),
  aggregation: oneOf(['token-mean', 'sequence-mean-token-mean', 'sequence-mean-token-sum']),
  aggregationConstant: number(0, { least: 0 }),
  lossScale: number(1, { above: 0 }),
  entropyCoefficient: number(0),
  klCoefficient: number(0, { least: 0 }),
  activationCheckpointing: flag(false),
  gradientDtype: dtype,
  sharePrompts: flag(true),
}

export const trainStepRules = {
  ...lossRules,
  learningRate: number(1e-6, { least: 0 }),
  betas: {
    fallback: [0.9, 0.999] as readonly [number, number],
    test: (value) =>
      Array.isArray(value) &&
      value.length === 2 &&
      value.every((beta) => typeof beta === 'number' && beta >= 0 && beta < 1),
    expected: 'two numbers from 0 to below 1',
  } satisfies Option<readonly [number, number]>,
  epsilon: number(1e-8, { above: 0 }),
  weightDecay: number(0.01, { least: 0 }),
  maxGradNorm: number(1, { least: 0 }),
}

export const generateRules = {
  maxNewTokens: integer(undefined, 1),
  temperature: {
    fallback: 1,
    test: (value) => value === 0 || (typeof value === 'number' && Number.isFinite(value) && value >= leastTemperature),
    expected: `0 (greedy) or a finite number at least ${leastTemperature}`,
  } satisfies Option<number>,
  topP: number(1, { above: 0, most: 1 }),
  topK: integer(0, 0),
  seed: absentOr(seed),
  stopTokenIds: { ...optional(isTokenIds, 'an array of token ids'), fallback: [] as ArrayLike<number> },
  maxBatchSize: integer(256, 1),
  kvCacheBytes: integer(0, 0, Number.MAX_SAFE_INTEGER),
  signal,
  onProgress: optional(isCallback<{ tokens: number; finished: number }>, 'a function'),
  onGroup: optional(isCallback<{ prompt: number; completions: NativeCompletion[] }>, 'a function'),
  onStats: optional(isCallback<NativeGenerateStats>, 'a function'),
}

export const trainingBatchKeys = [
  'tokenIds',
  'offsets',
  'promptLengths',
  'advantages',
  'oldLogprobs',
  'referenceLogprobs',
  'samplerLogprobs',
  'lossMask',
] as const
export const promptKeys = ['promptTokenIds', 'n', 'seeds', 'maxNewTokens'] as const
