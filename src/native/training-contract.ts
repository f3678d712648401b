/**
 * The records of `score`, `computeGradients` and `trainStep`. Shapes: a batch of S sequences is one token axis of N tokens,
 * packed, never padded. Sequence `s` is `tokenIds[offsets[s] .. offsets[s + 1])`; its first `promptLengths[s]` tokens are
 * the prompt, the rest is the response. R is the number of response tokens of all sequences, one sequence after another.
 */

import type { DType } from './contract.ts'

export interface NativeBatch {
  /** [N] */
  tokenIds: Int32Array
  /** [S + 1] */
  offsets: Int32Array
  /** [S], each at least 1 and at most the sequence's length */
  promptLengths: Int32Array
}

export interface NativeTrainingBatch extends NativeBatch {
  /** [S] one advantage a sequence */
  advantages: Float32Array
  /** [R] what the ratio divides by; absent: the ratio is exactly 1 */
  oldLogprobs?: Float32Array
  /** [R] log-probs of the reference policy, needed where klCoefficient > 0 */
  referenceLogprobs?: Float32Array
  /** [R] what the sampler reported: compared with the current log-probs in the stats, and used by importanceSamplingCap */
  samplerLogprobs?: Float32Array
  /** [R] 0 or 1; what is 0 leaves the loss and every count */
  lossMask?: Float32Array
}

export interface NativeScoreOptions {
  temperature: number
  maxTokensPerMicroBatch: number
  /** most bytes of one micro-batch; 0: most of what is free */
  activationBytes: number
  /** false: the frozen model without its adapter */
  adapter: boolean
}

export interface NativeScores {
  /** [R] nats */
  logprobs: Float32Array
  /** [R] nats, full vocabulary */
  entropy: Float32Array
  microBatches: number
  /** bytes that the largest micro-batch was predicted to take beside the weights */
  activationBytes: number
  /** how often memory ran out, so that all began anew with smaller micro-batches */
  memoryRetries: number
}

/**
 * How token terms become one loss, over N sequences with response tokens o_i: `token-mean` (1 / sum |o_i|) sum sum,
 * `sequence-mean-token-mean` (1/N) sum (1 / |o_i|) sum, `sequence-mean-token-sum` (1/N) sum sum / aggregationConstant.
 */
export type Aggregation = 'token-mean' | 'sequence-mean-token-mean' | 'sequence-mean-token-sum'

export interface NativeLossOptions {
  temperature: number
  clipLow: number
  clipHigh: number
  /** c > 1: where A < 0 a term is at least c A; 0: off */
  dualClip: number
  /** `sequence`: one ratio a sequence, exp of its mean log-ratio */
  ratioLevel: 'token' | 'sequence'
  /** C > 0: the policy term times min(pi_old / pi_sampler, C), without gradient; needs samplerLogprobs; 0: off */
  importanceSamplingCap: number
  aggregation: Aggregation
  aggregationConstant: number
  /** > 0: what the whole loss is multiplied by */
  lossScale: number
  entropyCoefficient: number
  klCoefficient: number
  maxTokensPerMicroBatch: number
  /** most bytes of one micro-batch beside weights and optimizer states; 0: most of what is free */
  activationBytes: number
  /** Keep only each layer's input in the forward and compute the layer again in the backward; else only where it must be. */
  activationCheckpointing: boolean
  /** of the gradients of the layers' matrices; the others are float32 */
  gradientDtype: DType
  /** Compute a prompt that consecutive sequences share once. */
  sharePrompts: boolean
}

export interface NativeOptimizerOptions {
  learningRate: number
  beta1: number
  beta2: number
  epsilon: number
  weightDecay: number
  /** 0 switches the clip off */
  maxGradNorm: number
}

/** What one update measured. Means are over the response tokens of the whole update. */
export interface NativeStepStats {
  loss: number
  policyLoss: number
  /** full-vocabulary entropy, nats a token */
  entropy: number
  /** -mean log-prob of the response tokens, nats a token */
  entropySampled: number
  /** mean k3; 0 without referenceLogprobs */
  kl: number
  clipFraction: number
  clipFractionLow: number
  clipFractionHigh: number
  /** mean k3 of the old policy: r - log r - 1 with r = pi_old / pi */
  approxKl: number
  /** mean and largest |current - sampler log-prob|; 0 without samplerLogprobs */
  logprobDifferenceMean: number
  logprobDifferenceMax: number
  /** global 2-norm of the gradient, before the clip */
  gradNorm: number
  /** R, the response tokens of the update */
  tokens: number
  /** tokens that went through the layers, shared prompts counted once */
  computedTokens: number
  microBatches: number
  /** true: the loss or gradient was not finite and the step changed nothing */
  skipped: boolean
  seconds: number
  optimizerSeconds: number
  /** bytes that the largest micro-batch was predicted to take beside weights and optimizer states */
  activationBytes: number
  /** most layers of a micro-batch that the backward computed again, as a whole or the MLP alone */
  recomputedLayers: number
  /** how often memory ran out, so that all began anew with smaller micro-batches */
  memoryRetries: number
  /** peak resident memory of the process (CPU) or peak allocated on the device (CUDA) */
  peakMemoryBytes: number
}
