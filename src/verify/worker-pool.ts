import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'

/** What a job came to: its result, or why there is none. */
export interface Outcome<Result> {
  result?: Result
  failure?: string
}

interface Pending<Job, Result> {
  job: Job
  resolve: (outcome: Outcome<Result>) => void
  reject: (error: Error) => void
}

/** Longest that a worker may take to load, however busy the machine. */
const START_MS = 60_000
const MAX_HEAP_MB = 256

/**
 * Does jobs in worker threads, one job a worker at a time, first come first served. A worker that takes too long or runs out of
 * memory is ended, its job has failed, and another takes its place when there is more to do. Workers start when they are
 * needed, and none of them keeps the process alive while it waits. A worker says `ready`, then answers each message by one.
 */
export class WorkerPool<Job, Result> {
  readonly #name: string
  readonly #entry: URL
  readonly #size: number
  readonly #timeoutMs: number
  readonly #queue: Pending<Job, Result>[] = []
  readonly #idle: Worker[] = []
  #workers = 0

  /**
   * @param name of the verifier, for errors
   * @param entry the worker's source file, .ts
   * @param options.timeoutMs for one job, 5 seconds unless told
   */
  constructor(
    name: string,
    entry: URL,
    { size = availableParallelism(), timeoutMs = 5000 }: { size?: number; timeoutMs?: number } = {},
  ) {
    this.#name = name
    this.#entry = entry
    this.#size = size
    this.#timeoutMs = timeoutMs
  }

  /** @throws Error where no worker can be started */
  run(job: Job): Promise<Outcome<Result>> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ job, resolve, reject })
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
    const worker = new Worker(workerEntry(this.#entry), {
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB, stackSizeMb: 8 },
    })
    this.#await(worker, START_MS, (outcome) => {
      if (outcome.message !== undefined) this.#free(worker)
      else this.#queue.shift()?.reject(new Error(`verifier ${this.#name}: a worker did not start: ${outcome.failure}`))
      this.#dispatch()
    })
  }

  #run(worker: Worker, { job, resolve }: Pending<Job, Result>): void {
    worker.ref()
    this.#await(worker, this.#timeoutMs, ({ message, failure }) => {
      if (message !== undefined) this.#free(worker)
      resolve(message !== undefined ? { result: message as Result } : { failure: failure! })
      this.#dispatch()
    })
    worker.postMessage(job)
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
function workerEntry(entry: URL): URL {
  if (!import.meta.url.endsWith('.ts')) return new URL(entry.href.replace(/\.ts$/, '.js'))
  const tsx = import.meta.resolve('tsx/esm/api')
  const source = `import { register } from '${tsx}'; register(); await import('${entry.href}')`
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`)
}
