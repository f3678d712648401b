/** Llama 3's stretch of the low frequencies of the rotary embedding, as `rope_type: llama3` in config.json. */
export interface Llama3Scaling {
  factor: number
  lowFrequencyFactor: number
  highFrequencyFactor: number
  originalMaxPositionEmbeddings: number
}

const f32 = Math.fround

/**
 * Inverse frequencies of the rotary embedding (Su et al., 2021), stretched as Llama 3.1 does where `scaling` is given.
 * Rounded to float32 after each operation: transformers computes them so, and at long positions the difference shows.
 *
 * @param theta base wavelength, above 0
 * @param headDim even
 * @returns [headDim / 2]
 */
export function inverseFrequencies(theta: number, headDim: number, scaling?: Llama3Scaling): Float64Array {
  const plain = Float64Array.from({ length: headDim / 2 }, (_, index) =>
    f32(1 / f32(theta ** f32((2 * index) / headDim))),
  )
  return scaling ? plain.map((frequency) => stretch(frequency, scaling)) : plain
}

function stretch(frequency: number, scaling: Llama3Scaling): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositionEmbeddings: context } = scaling
  const wavelength = f32(f32(2 * Math.PI) / frequency)
  if (wavelength < context / high) return frequency
  if (wavelength > context / low) return f32(frequency / f32(factor))
  const smooth = f32(f32(f32(context / wavelength) - f32(low)) / f32(high - low))
  return f32(f32(f32(f32(1 - smooth) * frequency) / f32(factor)) + f32(smooth * frequency))
}
