/** The records of `generate`. */

export interface NativePrompt {
  promptTokenIds: Int32Array
  /** how many completions of it */
  n: number
  /** [n] a 64-bit seed a sample, so that a result depends on batching and order by rounding alone */
  seeds: BigUint64Array
  /** [n] most new tokens of each sample, at most those of the call; absent: those of the call */
  maxNewTokens?: Int32Array
}

export interface NativeGenerateOptions {
  maxNewTokens: number
  /** 0: greedy; log-probs and entropies are then those of temperature 1 */
  temperature: number
  /** 1: off */
  topP: number
  /** 0: off */
  topK: number
  stopTokenIds: Int32Array
  /** most sequences decoded at once */
  maxBatchSize: number
  /** most memory of keys and values; 0: half of what is free */
  kvCacheBytes: number
}

export interface NativeGenerateStats {
  /** prompt tokens that went through the model, those of sequences that were preempted included */
  computedPromptTokens: number
  /** prompt tokens whose keys and values another sequence had computed */
  sharedPromptTokens: number
  /** sequences that gave up their part of the cache to older ones, and were computed again */
  preemptions: number
  /** slots of the cache that were taken at once, in whole blocks of 16 */
  peakCacheTokens: number
}

export interface NativeCompletion {
  /** the stop token, where there is one, included */
  tokenIds: Int32Array
  /** log-prob of each token under the full distribution at the temperature, nats */
  logprobs: Float32Array
  /** full-vocabulary entropy at each token at the temperature, nats */
  entropy: Float32Array
  finishReason: 'stop' | 'length'
}
