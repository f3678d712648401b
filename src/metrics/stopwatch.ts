import type { Profile } from './profile.ts'

/** Seconds spent in named phases; a phase that is entered again adds up. */
export class Stopwatch {
  readonly #started = performance.now()
  readonly #seconds = new Map<string, number>()
  readonly #profile: Profile | undefined

  /** @param profile where each phase is recorded, too */
  constructor(profile?: Profile) {
    this.#profile = profile
  }

  /** Runs `work` and adds its seconds to `phase`, also where it throws. */
  async time<T>(phase: string, work: () => T | Promise<T>): Promise<T> {
    const start = performance.now()
    try {
      return await (this.#profile ? this.#profile.span(phase, work) : work())
    } finally {
      this.#seconds.set(phase, this.seconds(phase) + (performance.now() - start) / 1000)
    }
  }

  seconds(phase: string): number {
    return this.#seconds.get(phase) ?? 0
  }

  /** Since the stopwatch was made. */
  total(): number {
    return (performance.now() - this.#started) / 1000
  }
}
