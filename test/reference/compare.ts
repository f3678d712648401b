/** ||actual - expected|| / ||expected|| (2-norms); 0 where both are zero, NaN and infinities stay what they are. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) {
    throw new RangeError(`lengths differ: ${actual.length} and ${expected.length}`)
  }
  let difference = 0
  let norm = 0
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i]! - expected[i]!) ** 2
    norm += expected[i]! ** 2
  }
  if (norm === 0) return Math.sqrt(difference)
  return Math.sqrt(difference / norm)
}

/** The largest |actual - expected|. */
export function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) {
    throw new RangeError(`lengths differ: ${actual.length} and ${expected.length}`)
  }
  let largest = 0
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!)
    // A NaN must not lose against a number.
    if (!(difference <= largest)) largest = difference
  }
  return largest
}

export function norm(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2
  return Math.sqrt(sum)
}

/** Rounds to bfloat16 (to nearest, ties to even), as float32. */
export function roundToBfloat16(values: Float32Array): Float32Array {
  const rounded = Float32Array.from(values)
  const bits = new Uint32Array(rounded.buffer)
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i]!
    bits[i] = ((word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000) >>> 0
  }
  return rounded
}
