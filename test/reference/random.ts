/** A small seeded generator (mulberry32), so that every test sees the same numbers everywhere. */
export class Random {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** Standard normal (Box-Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform())
  }

  integer(below: number): number {
    return Math.floor(this.uniform() * below)
  }

  /** Fills with normal values times `scale`. */
  fill<A extends Float32Array | Float64Array>(values: A, scale: number): A {
    for (let i = 0; i < values.length; i++) values[i] = this.normal() * scale
    return values
  }

  integers(length: number, below: number): Int32Array {
    return Int32Array.from({ length }, () => this.integer(below))
  }
}
