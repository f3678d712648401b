/** The other end of bench/side.ts: a process that gets a job and repeats it as often as it is asked. */

import { readFileSync, writeFileSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** What a job is made into: facts to report, and the work of one repetition. */
export interface Work {
  facts?: object
  /** what the repetition measured; `seconds` are taken here where it does not say */
  run(): Promise<Record<string, number> | undefined>
}

/**
 * Serves the job that the first line of standard input holds.
 *
 * @param prepare is called once; memory is counted from just before, or from where it calls `countMemory`
 */
export async function serve<Job>(prepare: (job: Job, countMemory: () => void) => Promise<Work>): Promise<void> {
  let start = 0
  let work: Work | undefined
  for await (const line of createInterface({ input: process.stdin })) {
    const message = JSON.parse(line)
    if (!work) {
      const countMemory = () => {
        globalThis.gc?.()
        start = restartPeak()
      }
      countMemory()
      work = await prepare(message as Job, countMemory)
      answer({ ...work.facts })
    } else if (message.request === 'run') {
      // What the repetition before left must not count for this one.
      globalThis.gc?.()
      const begun = performance.now()
      const figures = await work.run()
      answer({ seconds: (performance.now() - begun) / 1000, ...figures })
    } else {
      answer({ start, peak: memoryOf('VmHWM') })
    }
  }
}

function answer(value: object): void {
  writeSync(3, `${JSON.stringify(value)}\n`)
}

/** Counts the highest resident memory from here on where the system allows it (Linux); returns the present one. */
export function restartPeak(): number {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {
    // where /proc is read-only the peak of the start counts, too
  }
  return memoryOf('VmRSS')
}

function memoryOf(field: 'VmRSS' | 'VmHWM'): number {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))
  if (!line) throw new Error(`/proc/self/status has no ${field}`)
  return Number(line[1]) * 1024
}
