import { ConfigError } from '../config/config-error.ts'
import { nearestKey } from '../config/nearest-key.ts'
import { ProgressLine } from '../metrics/progress.ts'
import { runStudy } from '../studies/run-study.ts'
import { studies } from '../studies/studies.ts'
import { interruptSignal } from './interrupt.ts'

/** `magic-grpo study`: without a name, the studies there are. Exits 130 where it was interrupted. */
export async function study(
  name: string | undefined,
  { config, overrides }: { config?: string; overrides: string[] },
): Promise<void> {
  if (name === undefined) {
    const width = Math.max(...studies.map((each) => each.name.length))
    process.stdout.write(studies.map((each) => `${each.name.padEnd(width)}  ${each.title}\n`).join(''))
    return
  }
  const chosen = studies.find((each) => each.name === name)
  if (!chosen) {
    const names = studies.map((each) => each.name)
    const nearest = nearestKey(name, names)
    throw new ConfigError(
      `no study '${name}'; ${nearest ? `did you mean '${nearest}'?` : `the studies: ${names.join(', ')}`}`,
    )
  }
  if (config === undefined)
    throw new ConfigError(`study ${name}: give the run that its variants change, as -c examples/study.yaml`)
  let progress = new ProgressLine(process.stderr, 0)
  const interrupt = interruptSignal(() => progress.line('stopping: saving the last whole step'))
  try {
    const outcome = await runStudy(chosen, config, {
      ...{ overrides, signal: interrupt.signal },
      reporter: ({ label }, steps) => {
        progress = new ProgressLine(process.stderr, steps)
        progress.line(`${chosen.name}: ${label}`)
        return {
          onStep: (report) => progress.step(report),
          onProgress: (at) => progress.progress(at),
          onNote: (text) => progress.line(text),
        }
      },
    })
    if (!outcome) process.exitCode = 130
    else process.stdout.write(`${outcome.text}\npicture: ${outcome.picture}\ntable: ${outcome.table}\n`)
  } finally {
    interrupt.release()
  }
}
