import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'

/** What a child process measured of one side of a comparison. */
export interface Measurement {
  /** of each repetition, the warm-up left out */
  seconds: number[]
  /** peak resident memory during the repetitions above what was resident before, bytes */
  memory: number
}

/**
 * Runs `work` and measures it: time by repetition, and the peak of resident memory above the present. The peak is reset
 * first where the system allows it (Linux), so that what came before does not hide it.
 */
export async function measure(work: () => unknown, repetitions: number): Promise<Measurement> {
  globalThis.gc?.()
  const before = resetPeak()
  const seconds: number[] = []
  for (let i = 0; i < repetitions; i++) {
    // The results of the repetition before must not count for this one.
    globalThis.gc?.()
    const start = performance.now()
    await work()
    seconds.push((performance.now() - start) / 1000)
  }
  return { seconds, memory: Math.max(0, peak() - before) }
}

function resetPeak(): number {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
    return status('VmRSS')
  } catch {
    return peak()
  }
}

function peak(): number {
  try {
    return status('VmHWM')
  } catch {
    return process.resourceUsage().maxRSS * 1024
  }
}

function status(field: string): number {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))
  if (!line) throw new Error(`/proc/self/status has no ${field}`)
  return Number(line[1]) * 1024
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Runs a module in a process of its own, hands it `job`, and returns the one message that it sends back. */
export async function inChild<T>(module: URL, job: object): Promise<T> {
  const child = fork(module, [], {
    execArgv: ['--import=tsx', '--expose-gc'],
    serialization: 'advanced',
  })
  child.send(job)
  let result: T | undefined
  child.on('message', (message) => {
    result = message as T
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  if (code !== 0 || result === undefined) {
    throw new Error(`${module.pathname.split('/').at(-1)} ended with ${signal ?? `exit code ${code}`} and no result`)
  }
  return result
}
