/**
 * Every symbol of the native addon, in one file; the records of training, generation, memory and the head are in files beside
 * it. Nothing outside `src/native`, `src/policy` and `bench` touches these: the rest of the package uses the classes built
 * on them.
 */

import type {
  NativeCompletion,
  NativeGenerateOptions,
  NativeGenerateStats,
  NativePrompt,
} from './generation-contract.ts'
import type { NativeHeadInput, NativeHeadOutput, NativeProductInput } from './head-contract.ts'
import type { NativeMemoryPrediction, NativeRunSizes } from './memory-contract.ts'
import type {
  NativeBatch,
  NativeLossOptions,
  NativeOptimizerOptions,
  NativeScoreOptions,
  NativeScores,
  NativeStepStats,
  NativeTrainingBatch,
} from './training-contract.ts'

declare const policyBrand: unique symbol
declare const snapshotBrand: unique symbol
declare const cancelBrand: unique symbol

/** A policy that lives on the torch thread. Opaque; type-tagged natively. */
export type PolicyHandle = { readonly [policyBrand]: true }
/** What a policy was at one moment. Opaque; type-tagged natively. */
export type SnapshotHandle = { readonly [snapshotBrand]: true }
/** Stops a running call at its next token or micro-batch. Opaque; type-tagged natively. */
export type CancelHandle = { readonly [cancelBrand]: true }

export type Device = 'cpu' | 'cuda' | `cuda:${number}`
/** Compute type of weights and activations. Masters, optimizer states and reductions are float32 always. */
export type DType = 'float32' | 'bfloat16'

/** The shape of a decoder, already normalised from either form of config.json. */
export interface ModelShape {
  vocabSize: number
  hiddenSize: number
  intermediateSize: number
  layerCount: number
  headCount: number
  keyValueHeadCount: number
  headDim: number
  rmsNormEpsilon: number
  tieWordEmbeddings: boolean
  /** Biases on q, k and v (Qwen2; Llama with `attention_bias`). */
  qkvBias: boolean
  /** Bias on o_proj (Llama with `attention_bias`). */
  outputBias: boolean
  /** Biases in the MLP (Llama with `mlp_bias`). */
  mlpBias: boolean
  /** RMS norm over each head of q and k before the rotation (Qwen3). */
  qkNorm: boolean
  /** [headDim / 2] inverse frequencies of the rotary embedding, scaling already applied. */
  inverseFrequencies: Float64Array
  /** Standard deviation of freshly created weights. */
  initializerRange: number
}

/** Where one tensor lies: bytes [begin, end) of a file. */
export interface TensorSource {
  name: string
  dtype: 'F32' | 'F16' | 'BF16' | 'F64'
  shape: number[]
  path: string
  begin: number
  end: number
}

interface NativePolicyOptions {
  device: Device
  dtype: DType
  lora?: NativeLora
}

/** A linear layer by its name in Hugging Face models. */
export type TargetModule = 'q_proj' | 'k_proj' | 'v_proj' | 'o_proj' | 'gate_proj' | 'up_proj' | 'down_proj'

/** A low-rank adapter on these modules of every layer; all else is frozen. */
export interface NativeLora {
  rank: number
  alpha: number
  targetModules: TargetModule[]
  /** of the random A; B is zero */
  seed: bigint
  /** A and B by PEFT's names, in place of random ones */
  tensors?: TensorSource[]
}

export interface NativeVersions {
  /** of the libtorch that is loaded, as 2.13.0 */
  libtorch: string
  /** of the libtorch that the addon was built against */
  builtAgainst: string
  /** what libtorch's kernels use: DEFAULT, AVX2, AVX512 */
  cpuCapability: string
  cudaAvailable: boolean
  cudaDeviceCount: number
  threads: number
}

/** Spans of the torch thread, in the order of their ends; they nest. */
export interface NativeTrace {
  names: string[]
  /** [E] index into `names` */
  name: Uint32Array
  /** [E] microseconds of the clock of process.hrtime */
  begin: Float64Array
  end: Float64Array
  /** spans left out, past the bound on memory of a million */
  dropped: number
}

export interface NativeAddon {
  readonly contract: string // the contractDigest() that it was compiled with
  versions(): NativeVersions
  createCancel(): CancelHandle
  cancel(handle: CancelHandle): void

  /** Records spans of the torch thread from now on; what an earlier start recorded is forgotten. */
  startTrace(): Promise<void>
  /** Ends the recording and hands it over. */
  stopTrace(): Promise<NativeTrace>
  /** Floating point operations a second of large products on the policy's device in its compute type, measured once a process in 0.2 s. */
  peakFlops(policy: PolicyHandle): Promise<number>

  createPolicy(shape: ModelShape, options: NativePolicyOptions & { seed: bigint }): Promise<PolicyHandle>
  loadPolicy(shape: ModelShape, tensors: TensorSource[], options: NativePolicyOptions): Promise<PolicyHandle>
  /** Frees the weights once the work already queued is done. Idempotent. */
  disposePolicy(policy: PolicyHandle): void

  /** Hugging Face names and shapes, in the order of the layers; then those of the adapter, as PEFT names them. */
  parameterShapes(policy: PolicyHandle): { name: string; shape: number[] }[]
  parameter(policy: PolicyHandle, name: string): Promise<Float32Array>
  /** Of the last computeGradients, or of the last trainStep as clipped. */
  gradient(policy: PolicyHandle, name: string): Promise<Float32Array>
  /** [V] logits at the last position of one sequence, temperature 1. */
  logits(policy: PolicyHandle, tokenIds: Int32Array): Promise<Float32Array>

  /** What the policy is now; it shares memory with the policy until that is about to change, and takes copies then. */
  snapshot(policy: PolicyHandle): Promise<SnapshotHandle>
  /** Frees it once the writing already queued is done. Idempotent. */
  disposeSnapshot(snapshot: SnapshotHandle): void
  /**
   * Writes one safetensors file with these parameters in the compute type, the adapter merged into them, atomically. All
   * three write on a thread of their own, in the order of the calls.
   */
  writeParameters(snapshot: SnapshotHandle, path: string, names: string[]): Promise<void>
  /** Writes the adapter in float32 under PEFT's names as one safetensors file, atomically. */
  writeAdapter(snapshot: SnapshotHandle, path: string): Promise<void>
  /** Writes masters, moments and the step count as one safetensors file, atomically. */
  writeOptimizer(snapshot: SnapshotHandle, path: string): Promise<void>
  /** `tensors` as writeOptimizer named them: `master.*`, `exp_avg.*`, `exp_avg_sq.*`, `step`. */
  loadOptimizer(policy: PolicyHandle, tensors: TensorSource[]): Promise<void>
  /** Moments and step count as of a new policy. */
  resetOptimizer(policy: PolicyHandle): Promise<void>

  score(
    policy: PolicyHandle,
    batch: NativeBatch,
    options: NativeScoreOptions,
    cancel?: CancelHandle,
  ): Promise<NativeScores>
  generate(
    policy: PolicyHandle,
    prompts: NativePrompt[],
    options: NativeGenerateOptions,
    cancel?: CancelHandle,
    /** called with the tokens sampled so far, at most ten times a second */
    onProgress?: (tokens: number, finished: number) => void,
    /** called with each prompt's completions once all of them are finished, before the promise resolves */
    onGroup?: (group: { prompt: number; completions: NativeCompletion[] }) => void,
  ): Promise<{ completions: NativeCompletion[][]; stats: NativeGenerateStats }>
  computeGradients(
    policy: PolicyHandle,
    batch: NativeTrainingBatch,
    options: NativeLossOptions,
    cancel?: CancelHandle,
  ): Promise<NativeStepStats>
  trainStep(
    policy: PolicyHandle,
    batch: NativeTrainingBatch,
    options: NativeLossOptions & NativeOptimizerOptions,
    cancel?: CancelHandle,
  ): Promise<NativeStepStats>

  /** From the shape alone: nothing is allocated. */
  predictMemory(shape: ModelShape, sizes: NativeRunSizes): NativeMemoryPrediction

  head(
    input: NativeHeadInput,
    options: Pick<
      NativeLossOptions,
      'temperature' | 'clipLow' | 'clipHigh' | 'entropyCoefficient' | 'klCoefficient'
    > & {
      device: Device
      dtype: DType
      /** how often the same is computed, to measure it; default 1 */
      repetitions?: number
    },
  ): Promise<NativeHeadOutput>
  /** [n, out] x W^T as every linear layer computes it: both rounded to the type first, the product not. */
  product(input: NativeProductInput & { dtype: DType }): Promise<Float32Array>
}
