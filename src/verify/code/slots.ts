/** So many at a time, the others in the order in which they came. */
export class Slots<T> {
  readonly #make: () => T
  readonly #free: T[] = []
  readonly #waiting: ((slot: T) => void)[] = []
  readonly #size: number
  #made = 0

  constructor(size: number, make: () => T) {
    this.#size = size
    this.#make = make
  }

  /** Runs `work` with a slot once there is one free. */
  async use<R>(work: (slot: T) => Promise<R>): Promise<R> {
    const slot = await this.#take()
    try {
      return await work(slot)
    } finally {
      const next = this.#waiting.shift()
      if (next) next(slot)
      else this.#free.push(slot)
    }
  }

  #take(): Promise<T> | T {
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#made < this.#size) {
      this.#made++
      return this.#make()
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Every slot that nobody uses now. */
  get idle(): readonly T[] {
    return this.#free
  }
}
