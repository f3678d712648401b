import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Comparison } from './answer.ts'
import type { CompareOptions } from './compare.ts'

export interface CompareJob {
  given: string
  gold: string
  options: CompareOptions
}

interface Pending extends CompareJob {
  resolve: (comparison: Comparison) => void
  reject: (error: Error) => void
}

/** Longest that a worker may take to load, however busy the machine. */
const START_MS = 60_000
const MAX_HEAP_MB = 256

/**
 * Compares answers in worker threads, one comparison a worker at a time, first come first served. A worker that takes too long or
 * runs out of memory is ended, its answer counts as unequal, and another takes its place when there is more to do. Workers start
 * when they are needed, and none of them keeps the process alive while it waits.
 */
export class ComparisonPool {
  readonly #size: number
  readonly #timeoutMs: number
  readonly #queue: Pending[] = []
  readonly #idle: Worker[] = []
  #workers = 0

  /** @param options.timeoutMs for one comparison, 5 seconds unless told */
  constructor({ size = availableParallelism(), timeoutMs = 5000 }: { size?: number; timeoutMs?: number } = {}) {
    this.#size = size
    this.#timeoutMs = timeoutMs
  }

  /** @throws Error where no worker can be started */
  compare(job: CompareJob): Promise<Comparison> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ ...job, resolve, reject })
      this.#dispatch()
    })
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const worker = this.#idle.pop()
      if (worker) this.#run(worker, this.#queue.shift()!)
      else if (this.#workers < Math.min(this.#size, this.#workers - this.#idle.length + this.#queue.length))
        this.#start()
      else return
    }
  }

  #start(): void {
    this.#workers++
    const worker = new Worker(workerEntry(), {
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB, stackSizeMb: 8 },
    })
    this.#await(worker, START_MS, (outcome) => {
      if (outcome.message !== undefined) this.#free(worker)
      else this.#queue.shift()?.reject(new Error(`verifier math: a worker did not start: ${outcome.failure}`))
      this.#dispatch()
    })
  }

  #run(worker: Worker, job: Pending): void {
    worker.ref()
    this.#await(worker, this.#timeoutMs, ({ message, failure }) => {
      if (message !== undefined) this.#free(worker)
      job.resolve(message !== undefined ? (message as Comparison) : { equal: false, reason: failure! })
      this.#dispatch()
    })
    const { given, gold, options } = job
    worker.postMessage({ given, gold, options } satisfies CompareJob)
  }

  #free(worker: Worker): void {
    worker.unref()
    this.#idle.push(worker)
  }

  /** Waits for the worker's next message, its end, or the time limit, which ends it. */
  #await(worker: Worker, limitMs: number, done: (outcome: { message?: unknown; failure?: string }) => void): void {
    const settle = (outcome: { message?: unknown; failure?: string }) => {
      clearTimeout(timer)
      for (const event of ['message', 'error', 'exit']) worker.removeAllListeners(event)
      if (outcome.message === undefined) {
        this.#workers--
        // an error of a thread that is being ended has nobody to go to
        worker.on('error', () => {})
        void worker.terminate()
      }
      done(outcome)
    }
    const timer = setTimeout(() => settle({ failure: `no result within ${limitMs / 1000} s` }), limitMs)
    worker.once('message', (message) => settle({ message }))
    worker.once('error', (error) => settle({ failure: error.message }))
    worker.once('exit', (code) => settle({ failure: `the worker ended with ${code}` }))
  }
}

/** The compiled worker; from TypeScript sources one that loads tsx first, which a thread does not take over. */
function workerEntry(): URL {
  if (!import.meta.url.endsWith('.ts')) return new URL('./worker.js', import.meta.url)
  const [tsx, worker] = [import.meta.resolve('tsx/esm/api'), new URL('./worker.ts', import.meta.url).href]
  const source = `import { register } from '${tsx}'; register(); await import('${worker}')`
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`)
}
