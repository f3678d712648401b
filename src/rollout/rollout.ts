import type { Prompt } from '../data/prompt.ts'
import type { Verdict } from '../verify/verifier.ts'

/** Why a response ended: a stop token, or `maxResponseLength` without one (truncated). */
export type FinishReason = 'stop' | 'length'

/** One sampled response. */
export interface Rollout {
  /** [T] the stop token, where there is one, included */
  completionTokenIds: Int32Array
  /** [T] log-prob of each token when it was drawn, at the sampling temperature, nats */
  sampledLogprobs: Float32Array
  /** [T] full-vocabulary entropy at each token, at the sampling temperature, nats */
  entropy: Float32Array
  finishReason: FinishReason
  /** The response as text, special tokens left out. */
  text: string
}

/** The responses to one prompt, before they are graded. */
export interface Sampled {
  prompt: Prompt
  rollouts: Rollout[]
}

/** The responses to one prompt and what they earned, one reward, verdict and advantage a response. */
export interface RolloutGroup extends Sampled {
  rewards: number[]
  verdicts: Verdict[]
  /** how long each verdict took, waiting for a worker included, in the order in which they came; truncated ones may have none */
  verifySeconds?: number[]
  /** One a response; the same for each of its tokens. */
  advantages: Float64Array
  /** All advantages are zero: the group teaches nothing and is left out of the update. */
  rejected: boolean
}

/** Generation reached the limit without a stop token. */
export function isTruncated(rollout: Rollout): boolean {
  return rollout.finishReason === 'length'
}
