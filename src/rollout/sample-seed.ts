import { Random } from '../data/random.ts'

/**
 * A 64-bit seed from whole numbers, such as (seed, step, prompt index, sample): each sample has a random stream of its
 * own, so that a result depends on batching and order by rounding alone.
 */
export function sampleSeed(...parts: number[]): bigint {
  return parts.reduce((state, part) => new Random(state ^ new Random(part).next()).next(), 0n)
}
