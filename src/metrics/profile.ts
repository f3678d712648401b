import { startNativeTrace, stopNativeTrace } from '../native/trace.ts'
import { writeAtomic } from './atomic-write.ts'

const processId = 1
const mainThread = 1
const torchThread = 2

/** An event of Chrome's trace format; `ts` and `dur` in microseconds. */
interface TraceEvent {
  name: string
  /** X: a span; b and e: begin and end of one that others overlap; M: a name of a thread */
  ph: 'X' | 'b' | 'e' | 'M'
  pid: number
  tid: number
  ts?: number
  dur?: number
  cat?: string
  id?: number
  args?: Record<string, unknown>
}

/**
 * What a process does, as a trace that chrome://tracing and ui.perfetto.dev show: phases of TypeScript and spans of the
 * torch thread on one clock. docs/profiling.md has the names.
 *
 * @example
 *     const profile = await Profile.start()
 *     await profile.span('update', () => policy.trainStep(batch))
 *     await profile.end('profile.json')
 */
export class Profile {
  readonly #begun = now()
  readonly #events: TraceEvent[] = [
    { name: 'process_name', ph: 'M', pid: processId, tid: mainThread, args: { name: 'magic-grpo' } },
    { name: 'thread_name', ph: 'M', pid: processId, tid: mainThread, args: { name: 'TypeScript' } },
    { name: 'thread_name', ph: 'M', pid: processId, tid: torchThread, args: { name: 'torch' } },
  ]
  #ids = 0

  private constructor() {}

  /** One recording a process: starting another ends this one's spans of the torch thread. */
  static async start(): Promise<Profile> {
    await startNativeTrace()
    return new Profile()
  }

  /** Records `work`, also where it throws. Spans nest: one that begins in another ends in it. */
  async span<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    const begin = now()
    try {
      return await work()
    } finally {
      this.#add({ name, ph: 'X', ts: begin, dur: now() - begin })
    }
  }

  /** The same of work that is done at once. */
  work<T>(name: string, work: () => T): T {
    const begin = now()
    const result = work()
    this.#add({ name, ph: 'X', ts: begin, dur: now() - begin })
    return result
  }

  /** Records `work` that overlaps with other work, on a row of its own. */
  async overlapping<T>(name: string, work: () => T | Promise<T>, args?: Record<string, unknown>): Promise<T> {
    const event = { name, cat: name, id: ++this.#ids }
    this.#add({ ...event, ph: 'b', ts: now(), ...(args && { args }) })
    try {
      return await work()
    } finally {
      this.#add({ ...event, ph: 'e', ts: now() })
    }
  }

  /** Ends the recording and writes it; without a path it is thrown away. */
  async end(path?: string): Promise<void> {
    const { names, name, begin, end, dropped } = await stopNativeTrace()
    if (path === undefined) return
    const native = Array.from(name, (index, at): TraceEvent => {
      const ts = begin[at]! - this.#begun
      return { name: names[index]!, ph: 'X', pid: processId, tid: torchThread, ts, dur: end[at]! - begin[at]! }
    })
    const lines = [...this.#events, ...native].map((event) => JSON.stringify(event))
    const other = JSON.stringify({ droppedSpans: dropped })
    await writeAtomic(path, `{"displayTimeUnit":"ms","otherData":${other},"traceEvents":[\n${lines.join(',\n')}\n]}\n`)
  }

  #add(event: Omit<TraceEvent, 'pid' | 'tid'> & { ts: number }): void {
    this.#events.push({ ...event, pid: processId, tid: mainThread, ts: event.ts - this.#begun })
  }
}

/** Microseconds of the clock that the native spans are measured by. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1000
}
