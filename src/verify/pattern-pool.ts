import { WorkerPool } from './worker-pool.ts'

export interface PatternJob {
  pattern: string
  text: string
}

/** Tries regular expressions, which may take for ever, on hostile text. */
export class PatternPool {
  readonly #pool: WorkerPool<PatternJob, boolean>

  /** @param options.timeoutMs for one response, 5 seconds unless told */
  constructor(options: { size?: number; timeoutMs?: number } = {}) {
    this.#pool = new WorkerPool('format', new URL('./pattern-worker.ts', import.meta.url), options)
  }

  /** Null where it matches, else what is the matter. */
  async fault(pattern: string, text: string): Promise<string | null> {
    const { result, failure } = await this.#pool.run({ pattern, text })
    if (result === true) return null
    return result === false ? 'the pattern does not match' : `the pattern: ${failure}`
  }
}
