import { type Comparison, compareAnswers, compareTexts } from './answer.ts'
import type { CompareOptions } from './compare.ts'
import { ComparisonPool } from './comparison-pool.ts'
import { goldText } from './gold.ts'

const MAX_CACHED = 10_000
const MAX_INLINE = 60
/** Plain numbers and fractions: digits, signs and brackets, without powers and factorials. */
const NUMBER = /^[\d\s.,/+\-$%{}()]*$/

/** Compares answers: at once where texts or plain numbers tell, else in the pool, each pair once. */
export class Comparer {
  readonly #pool: ComparisonPool
  readonly #cache = new Map<string, Promise<Comparison>>()

  constructor(pool: ComparisonPool) {
    this.#pool = pool
  }

  compare(given: string, gold: string, options: CompareOptions = {}): Promise<Comparison> {
    const key = JSON.stringify([given, gold, options.precision, options.renamedVariables])
    const cached = this.#cache.get(key)
    // the latest used are the last to go
    this.#cache.delete(key)
    const result = cached ?? this.#compare(given, gold, options)
    this.#cache.set(key, result)
    if (!cached) result.catch(() => this.#cache.delete(key))
    if (this.#cache.size > MAX_CACHED) this.#cache.delete(this.#cache.keys().next().value!)
    return result
  }

  async #compare(given: string, gold: string, options: CompareOptions): Promise<Comparison> {
    const answer = goldText(gold)
    if (isNumber(given) && isNumber(answer)) return compareAnswers(given, answer, options)
    return compareTexts(given, answer) ?? (await this.#pool.compare({ given, gold: answer, options }))
  }
}

function isNumber(text: string): boolean {
  return text.length <= MAX_INLINE && NUMBER.test(text.replace(/\\[dtc]?frac(?![a-z])|\\[%$]/g, ''))
}

let shared: Comparer | undefined

/** The one comparer of this process. */
export function sharedComparer(): Comparer {
  shared ??= new Comparer(new ComparisonPool())
  return shared
}
