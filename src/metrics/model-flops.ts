import type { ModelShape } from '../native/contract.ts'
import { adapterTensors, type Lora } from '../policy/lora.ts'

/** Sequences that begin with the same prompt, which is computed once for all of them. */
export interface SharedPrompt {
  promptLength: number
  /** tokens of each response, at least 1 */
  responseLengths: readonly number[]
}

/**
 * Floating point operations that a decoder needs, a multiplication and an addition counted as two: those of its matrix
 * products and of causal attention, which are all but some thousandths. Recomputed activations and padding are not
 * counted, nor is the last token of a response, from which nothing is predicted.
 */
export class ModelFlops {
  readonly #shape: ModelShape
  /** Parameters of all linear layers, and of their adapters. */
  readonly #linear: number
  readonly #adapter: number
  readonly #head: number

  constructor(shape: ModelShape, lora?: Lora) {
    const { hiddenSize, headCount, keyValueHeadCount, headDim, intermediateSize, layerCount, vocabSize } = shape
    const attention = hiddenSize * headDim * (2 * headCount + 2 * keyValueHeadCount)
    this.#shape = shape
    this.#linear = layerCount * (attention + 3 * hiddenSize * intermediateSize)
    const adapters = lora ? [...adapterTensors(shape, lora)].map(([, [rows, columns]]) => rows! * columns!) : []
    this.#adapter = adapters.reduce((sum, size) => sum + size, 0)
    this.#head = vocabSize * hiddenSize
  }

  /**
   * Prompt and responses once through the model, a token at a time or all at once: 2 operations a parameter and token,
   * and 4 x heads x headDim x keys a token in each layer; logits are computed once for the first token of all responses.
   */
  rollout(sequences: SharedPrompt): number {
    const { tokens, keys, responseTokens } = this.#count(sequences)
    const predictions = responseTokens - sequences.responseLengths.length + 1
    return 2 * (this.#linear + this.#adapter) * tokens + this.#attention(keys) + 2 * this.#head * predictions
  }

  /**
   * Forward and backward of an update, logits for every response token: three times the forward, as each product has two
   * gradients; with an adapter the frozen weights have none, so that they cost twice the forward.
   */
  update(sequences: SharedPrompt): number {
    const { tokens, keys, responseTokens } = this.#count(sequences)
    const passes = this.#adapter > 0 ? 2 : 3
    const layers = 2 * (passes * this.#linear + 3 * this.#adapter) * tokens
    return layers + 3 * this.#attention(keys) + 2 * passes * this.#head * responseTokens
  }

  /** Scores and weighted values, 2 operations each a key and dimension of a head. */
  #attention(keys: number): number {
    const { layerCount, headCount, headDim } = this.#shape
    return 4 * layerCount * headCount * headDim * keys
  }

  /** Tokens that go through the layers, and keys that they see: a token at position p sees p + 1. */
  #count({ promptLength, responseLengths }: SharedPrompt): { tokens: number; keys: number; responseTokens: number } {
    if (responseLengths.length === 0) return { tokens: 0, keys: 0, responseTokens: 0 }
    const sum = (value: (length: number) => number) =>
      responseLengths.reduce((total, length) => total + value(length), 0)
    return {
      tokens: promptLength + sum((length) => length - 1),
      keys: (promptLength * (promptLength + 1)) / 2 + sum((length) => (length - 1) * (promptLength + length / 2)),
      responseTokens: sum((length) => length),
    }
  }
}
