/** Says that a stage begins, runs it, and says how long it took. */
export async function stage<T>(title: string, work: () => T | Promise<T>): Promise<T> {
  const start = performance.now()
  process.stdout.write(`magic-grpo: ${title} ...\n`)
  const result = await work()
  process.stdout.write(`magic-grpo: ${title}: done in ${((performance.now() - start) / 1000).toFixed(1)} s\n`)
  return result
}

/** One line about something that needs no work. */
export function note(text: string): void {
  process.stdout.write(`magic-grpo: ${text}\n`)
}

/** Runs a script; a failure is one line and exit code 1. */
export async function orFail(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    process.stderr.write(`magic-grpo: ${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
  }
}
