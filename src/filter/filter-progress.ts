import { ConfigError } from '../config/config-error.ts'
import { JsonLines } from '../metrics/json-lines.ts'
import type { PassCount } from './pass-counts.ts'

/** What the counts depend on: model, verifier, sampling, prompts. Plain JSON. */
export type FilterSettings = Record<string, string | number | null>

/**
 * The counts found so far, in a file that only grows: a line with the settings, then one a prompt. It stays when the
 * filter is done, so that other bounds need no new rollouts.
 */
export class FilterProgress {
  readonly counts = new Map<string, PassCount>()
  readonly #file: JsonLines<FilterSettings | PassCount>

  private constructor(file: JsonLines<FilterSettings | PassCount>) {
    this.#file = file
  }

  /**
   * Begins a file, or takes up one that is there; the end of a line that a killed process left is dropped.
   *
   * @throws ConfigError where it was begun with other settings
   */
  static async open(path: string, settings: FilterSettings): Promise<FilterProgress> {
    const file = new JsonLines<FilterSettings | PassCount>(path)
    const [begun = settings, ...counts] = await file.read()
    for (const [key, value] of Object.entries(settings)) {
      const before = (begun as FilterSettings)[key]
      if (before !== value)
        throw new ConfigError(
          `'${key}': ${JSON.stringify(value)}, but ${path} was begun with ${JSON.stringify(before)}; give the same, or remove that file to begin anew`,
        )
    }
    await file.rewrite([settings, ...counts])
    const progress = new FilterProgress(file)
    progress.#remember(counts as PassCount[])
    return progress
  }

  async append(counts: PassCount[]): Promise<void> {
    const added = counts.filter(({ id }) => !this.counts.has(id))
    await this.#file.append(...added)
    this.#remember(added)
  }

  #remember(counts: readonly PassCount[]): void {
    for (const count of counts) this.counts.set(count.id, count)
  }
}
