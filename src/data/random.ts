const MASK = (1n << 64n) - 1n

/**
 * splitmix64 (Steele, Lea and Flood 2014): a 64-bit counter through a mixing function. Its state is one number, its
 * period 2^64, and it passes BigCrush; enough to shuffle and to draw samples, not for secrets. The same on every
 * machine, since it is integer arithmetic alone.
 */
export class Random {
  #state: bigint

  /** @param seed a whole number; only its lowest 64 bits count */
  constructor(seed: number | bigint) {
    this.#state = BigInt.asUintN(64, BigInt(seed))
  }

  /** Uniform in [0, 2^64). */
  next(): bigint {
    this.#state = (this.#state + 0x9e3779b97f4a7c15n) & MASK
    let z = this.#state
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK
    return z ^ (z >> 31n)
  }

  /** Uniform whole number in [0, limit), limit at least 1; the bias is below limit / 2^64. */
  below(limit: number): number {
    return Number((this.next() * BigInt(limit)) >> 64n)
  }

  /** Uniform in [0, 1), a multiple of 2^-53. */
  uniform(): number {
    return Number(this.next() >> 11n) / 2 ** 53
  }

  /** Shuffles in place (Fisher and Yates) and returns the array. */
  shuffle<T>(items: T[]): T[] {
    for (let last = items.length - 1; last > 0; last--) {
      const other = this.below(last + 1)
      const item = items[last]!
      items[last] = items[other]!
      items[other] = item
    }
    return items
  }
}
