import { Profile } from '../metrics/profile.ts'

/** The steps that are profiled: the second is written over the first, which warms up, where there is a second. */
const profiledSteps = 2

/** Profiles one step of a run. */
export class StepProfile {
  readonly #path: string | undefined
  #steps = 0

  /** @param path of the trace; without one nothing is profiled */
  constructor(path: string | undefined) {
    this.#path = path
  }

  /** Runs a step, profiled where it is one of the first. */
  async record<T>(step: (profile: Profile | undefined) => Promise<T>): Promise<T> {
    if (this.#path === undefined || this.#steps === profiledSteps) return step(undefined)
    this.#steps++
    const profile = await Profile.start()
    try {
      const result = await profile.span('step', () => step(profile))
      await profile.end(this.#path)
      return result
    } catch (error) {
      await profile.end()
      throw error
    }
  }
}
