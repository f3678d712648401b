import { boxedAnswer } from '../extract.ts'
import { proseAnswer } from './prose.ts'

/** Longer than any answer alone: a worked solution. */
const SOLUTION_LENGTH = 200

/** A gold answer may be a whole solution: its boxed answer then, or what its prose comes to. */
export function goldText(gold: string): string {
  const boxed = boxedAnswer(gold)
  if (boxed !== null) return boxed
  return gold.length > SOLUTION_LENGTH ? (proseAnswer(gold) ?? gold) : gold
}

/**
 * The acceptable answers of a row.
 *
 * @throws Error that names the prompt, when its answer is no text, number or list of these
 */
export function goldAnswers(answer: unknown, promptId: string): string[] {
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
