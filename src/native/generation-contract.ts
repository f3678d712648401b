/** The records of `generate`. */

export interface NativePrompt {
  promptTokenIds: Int32Array
  /** how many completions of it */
  n: number
  /** [n] a 64-bit seed a sample, so that a result depends neither on batching nor on order */
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
