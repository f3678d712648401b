import { type Extraction, extractAnswer } from './extract.ts'
import { equalAnswers, MAX_ANSWER_LENGTH } from './math-answer.ts'
import type { RewardSample, Verdict, Verifier } from './verifier.ts'

export interface MathVerifierOptions {
  /** `boxed` (default): only a `\boxed{}` counts; `any`: also `#### n` and the last number */
  extraction?: Extraction
}

/**
 * Grades mathematics: the answer in the last `\boxed{}` after the thinking, equal to any of the gold answers exactly
 * (Skywork-OR1, section 7). Reward 1 or 0. Numbers are compared as exact fractions; nothing is evaluated.
 */
export class MathVerifier implements Verifier {
  readonly name = 'math'
  readonly #extraction: Extraction

  constructor({ extraction = 'boxed' }: MathVerifierOptions = {}) {
    this.#extraction = extraction
  }

  /** @throws Error that names the prompt, when its answer is no text, number or list of these */
  async verify({ response, answer, prompt }: RewardSample, signal?: AbortSignal): Promise<Verdict> {
    signal?.throwIfAborted()
    return gradeMath(response, goldAnswers(answer, prompt.id), this.#extraction)
  }

  async sameAnswer(a: string, b: string, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted()
    return equalAnswers(a, b)
  }
}

/** Grades one response against the acceptable answers. */
export function gradeMath(response: string, golds: readonly string[], extraction: Extraction = 'boxed'): Verdict {
  const extracted = extractAnswer(response, extraction)
  if (extracted === null) {
    return { reward: 0, correct: false, reason: extraction === 'boxed' ? 'no \\boxed{} answer' : 'no answer found' }
  }
  if (extracted.length > MAX_ANSWER_LENGTH) {
    const reason = `the answer has ${extracted.length} characters, more than ${MAX_ANSWER_LENGTH}`
    return { reward: 0, correct: false, extracted: `${extracted.slice(0, 100)}...`, reason }
  }
  const correct = golds.some((gold) => equalAnswers(extracted, goldText(gold)))
  return correct
    ? { reward: 1, correct, extracted }
    : { reward: 0, correct, extracted, reason: `not ${golds.map((gold) => gold.slice(0, 100)).join(' or ')}` }
}

/** A gold answer may be a whole solution with its box; with several boxes no single one is the answer. */
function goldText(gold: string): string {
  return gold.indexOf('\\boxed') === gold.lastIndexOf('\\boxed') ? (extractAnswer(gold, 'boxed') ?? gold) : gold
}

function goldAnswers(answer: unknown, promptId: string): string[] {
  const golds = Array.isArray(answer) ? answer : [answer]
  const valid = golds.every(
    (gold) => (typeof gold === 'string' && gold.trim() !== '') || (typeof gold === 'number' && Number.isFinite(gold)),
  )
  if (golds.length === 0 || !valid) {
    throw new Error(
      `verifier math: the answer of prompt ${promptId} is ${(JSON.stringify(answer) ?? 'missing').slice(0, 200)}: ` +
        'it must be a text, a number, or a list of acceptable ones (reward_model.ground_truth, ground_truth or answer of its row)',
    )
  }
  return golds.map(String)
}
