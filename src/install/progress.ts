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
  process.stdout.write(`${process.stdout.isTTY ? '\r\x1b[K' : ''}magic-grpo: ${text}\n`)
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

/** Shows bytes received: one line rewritten on a terminal, else one every five seconds. */
export function byteProgress(): (done: number, total: number | undefined) => void {
  const terminal = process.stdout.isTTY
  let last = performance.now()
  return (done, total) => {
    const now = performance.now()
    if (now - last < (terminal ? 200 : 5_000)) return
    last = now
    const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0)
    const text = total
      ? `${megabytes(done)} of ${megabytes(total)} MB (${Math.floor((100 * done) / total)} %)`
      : `${megabytes(done)} MB`
    process.stdout.write(terminal ? `\r\x1b[Kmagic-grpo: ${text}` : `magic-grpo: ${text}\n`)
  }
}
