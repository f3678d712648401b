/** A problem in what the user wrote: its message names the place, the key, the value and the fix. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** One line a problem. */
  readonly problems: readonly string[]

  constructor(problems: string | readonly string[]) {
    const list = typeof problems === 'string' ? [problems] : problems
    super(list.join('\n'))
    this.problems = list
  }
}
