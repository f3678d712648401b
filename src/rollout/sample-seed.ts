const mask = (1n << 64n) - 1n

/** One round of splitmix64: a bijection of 64-bit numbers whose output looks random. */
function splitmix64(value: bigint): bigint {
  let z = (value + 0x9e3779b97f4a7c15n) & mask
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask
  return z ^ (z >> 31n)
}

/**
 * A 64-bit seed from whole numbers, such as (seed, step, prompt index, sample): each sample has a random
 * stream of its own, so that a result depends neither on batching nor on order.
 */
export function sampleSeed(...parts: number[]): bigint {
  return parts.reduce((state, part) => splitmix64(state ^ splitmix64(BigInt(part))), 0n)
}
