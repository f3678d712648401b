import { WorkerPool } from '../worker-pool.ts'
import type { Comparison } from './answer.ts'
import type { CompareOptions } from './compare.ts'

export interface CompareJob {
  given: string
  gold: string
  options: CompareOptions
}

/** Compares answers in worker threads. One that takes too long counts as unequal. */
export class ComparisonPool {
  readonly #pool: WorkerPool<CompareJob, Comparison>

  /** @param options.timeoutMs for one comparison, 5 seconds unless told */
  constructor(options: { size?: number; timeoutMs?: number } = {}) {
    this.#pool = new WorkerPool('math', new URL('./worker.ts', import.meta.url), options)
  }

  /** @throws Error where no worker can be started */
  async compare(job: CompareJob): Promise<Comparison> {
    const { result, failure } = await this.#pool.run(job)
    return result ?? { equal: false, reason: failure! }
  }
}
