/** The loss path alone, on given hidden states: for tests and benchmarks. */
export interface NativeHeadInput {
  /** [N, H] row-major */
  hidden: Float32Array
  /** [V, H] row-major */
  weight: Float32Array
  hiddenSize: number
  /** [N], as the three that follow */
  targets: Int32Array
  advantages: Float32Array
  oldLogprobs?: Float32Array
  referenceLogprobs?: Float32Array
}

export interface NativeHeadOutput {
  loss: number
  /** [N] */
  logprobs: Float32Array
  /** [N] */
  entropy: Float32Array
  /** [N, H] d loss / d hidden */
  hiddenGradient: Float32Array
  /** [V, H] d loss / d weight */
  weightGradient: Float32Array
  /** of the head alone, the copies of inputs and results left out; one value a repetition */
  seconds: Float64Array
  /** highest memory of the repetitions above inputs and gradients: resident (CPU) or allocated on the device (CUDA) */
  extraMemoryBytes: number
}

/** One linear layer alone: for tests and benchmarks. */
export interface NativeProductInput {
  /** [n, inSize] row-major */
  x: Float32Array
  /** [out, inSize] row-major */
  weight: Float32Array
  inSize: number
}
