import type { RewardSample, Verdict, Verifier } from '../verifier.ts'
import { readings } from './answer.ts'
import type { CompareOptions } from './compare.ts'
import { type Comparer, sharedComparer } from './comparer.ts'
import { goldAnswers, goldText } from './gold.ts'
import { MAX_ANSWER_LENGTH } from './limits.ts'
import { type Extraction, extractAnswer } from './prose.ts'
import { render } from './render.ts'

export interface MathVerifierOptions {
  /** `boxed` (default): only a `\boxed{}` counts; `any`: also an announced final answer, `#### n`, the last formula or number */
  extraction?: Extraction
  /**
   * digits after the decimal point to which two numbers have to agree where one is a decimal; a row's own `precision` comes first.
   * By default they agree to what the gold answer states.
   */
  precision?: number | undefined
  /** whether the variables of a function may have other names than in the gold answer; false unless given */
  renamedVariables?: boolean
}

/**
 * Grades mathematics: the answer in the last `\boxed{}` after the thinking, equal to any of the gold answers
 * (Skywork-OR1, section 7). Reward 1 or 0. Comparisons run in a pool of worker threads, 5 seconds at most each.
 */
export class MathVerifier implements Verifier {
  readonly name = 'math'
  readonly #options: MathVerifierOptions
  readonly #comparer: Comparer

  constructor(options: MathVerifierOptions = {}, comparer: Comparer = sharedComparer()) {
    this.#options = options
    this.#comparer = comparer
  }

  /** @throws Error that names the prompt, when its answer is no text, number or list of these */
  async verify({ response, answer, prompt }: RewardSample, signal?: AbortSignal): Promise<Verdict> {
    signal?.throwIfAborted()
    const golds = goldAnswers(answer, prompt.id)
    const options = { ...this.#options, ...this.#compareOptions(prompt) }
    const verdict = await gradeMath(response, golds, options, this.#comparer)
    signal?.throwIfAborted()
    return verdict
  }

  #compareOptions({ extra }: RewardSample['prompt']): CompareOptions {
    const precision = typeof extra.precision === 'number' ? extra.precision : this.#options.precision
    const { renamedVariables } = this.#options
    return { ...(precision === undefined ? {} : { precision }), ...(renamedVariables && { renamedVariables }) }
  }

  async explain({ response, answer, prompt }: RewardSample): Promise<string[]> {
    const extracted = extractAnswer(response, this.#options.extraction ?? 'boxed')
    const lines = [`extracted: ${extracted ?? 'nothing'}`]
    if (extracted !== null) lines.push(`read as: ${howRead(extracted)}`)
    for (const gold of goldAnswers(answer, prompt.id)) {
      lines.push(`gold: ${goldText(gold)}`, `read as: ${howRead(goldText(gold))}`)
      if (extracted === null) continue
      const { equal, reason } = await this.#comparer.compare(extracted, gold, this.#compareOptions(prompt))
      lines.push(`${equal ? 'equal' : 'not equal'}: ${reason}`)
    }
    return lines
  }

  async sameAnswer(a: string, b: string, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted()
    return (await this.#comparer.compare(a, b)).equal
  }
}

/** Grades one response against the acceptable answers. */
export async function gradeMath(
  response: string,
  golds: readonly string[],
  { extraction = 'boxed', precision, renamedVariables }: MathVerifierOptions = {},
  comparer: Comparer = sharedComparer(),
): Promise<Verdict> {
  const extracted = extractAnswer(response, extraction)
  if (extracted === null) {
    const reason = extraction === 'boxed' ? 'no \\boxed{} answer' : 'no answer found'
    return { reward: 0, correct: false, reason, outcome: 'no answer' }
  }
  if (extracted.length > MAX_ANSWER_LENGTH) {
    const reason = `the answer has ${extracted.length} characters, more than ${MAX_ANSWER_LENGTH}`
    return { reward: 0, correct: false, extracted: `${extracted.slice(0, 100)}...`, reason }
  }
  const options = { ...(precision === undefined ? {} : { precision }), ...(renamedVariables && { renamedVariables }) }
  let unequal = ''
  for (const gold of golds) {
    const { equal, reason } = await comparer.compare(extracted, gold, options)
    if (equal) return { reward: 1, correct: true, extracted }
    if (reason !== 'not the same value' && !reason.startsWith('not the same text')) unequal = `: ${reason}`
  }
  return {
    reward: 0,
    correct: false,
    extracted,
    reason: `not ${golds.map((gold) => gold.slice(0, 100)).join(' or ')}${unequal}`,
  }
}

/** The ways to read an answer, or that it is compared as text. */
function howRead(text: string): string {
  if (text.length > MAX_ANSWER_LENGTH) return 'nothing, for its length'
  const read = readings(text).map(render)
  return read.length > 0 ? [...new Set(read)].join(', or ') : 'text'
}
