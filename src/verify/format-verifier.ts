import { answerText, boxedAnswer } from './extract.ts'
import { PatternPool } from './pattern-pool.ts'
import type { RewardSample, Verdict, Verifier } from './verifier.ts'

export interface FormatOptions {
  /** the answer is in a `\boxed{}` after the thinking; true unless given */
  boxed?: boolean
  /** there is one `</think>`, and no `<think>` but at the start; false unless given */
  thinking?: boolean
  /** a JavaScript regular expression, with flag `s`, that has to match somewhere in the response */
  pattern?: string | undefined
}

/**
 * Rewards the form of a response alone: 1 where it meets all that is asked for, else 0. Nothing is correct by its form.
 * A pattern is tried in a worker thread, 5 seconds at most: one that takes longer does not match.
 */
export class FormatVerifier implements Verifier {
  readonly name = 'format'
  readonly #options: FormatOptions
  readonly #pool: PatternPool

  /** @throws Error where the pattern is no regular expression */
  constructor(options: FormatOptions = {}, pool: PatternPool = new PatternPool()) {
    this.#options = options
    this.#pool = pool
    if (options.pattern === undefined) return
    try {
      new RegExp(options.pattern, 's')
    } catch (error) {
      throw new Error(`verifier format: pattern is ${JSON.stringify(options.pattern)}: ${(error as Error).message}`)
    }
  }

  async verify({ response }: RewardSample, signal?: AbortSignal): Promise<Verdict> {
    signal?.throwIfAborted()
    const fault = await this.#fault(response)
    signal?.throwIfAborted()
    return { reward: fault === null ? 1 : 0, correct: false, ...(fault !== null && { reason: fault }) }
  }

  async #fault(response: string): Promise<string | null> {
    const { boxed = true, thinking = false, pattern } = this.#options
    if (boxed && boxedAnswer(answerText(response)) === null) return 'no \\boxed{} answer'
    if (thinking && !thinksOnce(response)) return 'thinking is not closed once'
    return pattern === undefined ? null : this.#pool.fault(pattern, response)
  }
}

function thinksOnce(response: string): boolean {
  const text = response.trimStart()
  const end = text.indexOf('</think>')
  return end >= 0 && text.indexOf('</think>', end + 1) < 0 && text.lastIndexOf('<think>') <= 0
}
