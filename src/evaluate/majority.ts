import type { Verdict, Verifier } from '../verify/verifier.ts'

/**
 * maj@k of one problem: whether the answer that most samples give is right, in [0, 1].
 *
 * The samples vote by the answer that was extracted from them; those without one abstain. Right answers are one answer,
 * as all equal the gold one. Wrong answers are the same where their texts are, or where `equal` says so. Of several
 * answers with the most votes each is as likely to be chosen, so that a tie counts as the share of the tied ones that
 * is right: 1 / their number, or 0.
 *
 * @returns undefined where no sample has an extracted answer
 */
export async function majority(
  verdicts: readonly Pick<Verdict, 'correct' | 'extracted'>[],
  equal?: Verifier['sameAnswer'],
  signal?: AbortSignal,
): Promise<number | undefined> {
  if (!verdicts.some(({ extracted }) => extracted !== undefined)) return undefined
  const voters = verdicts.filter(({ correct, extracted }) => correct || extracted !== undefined)
  const right = voters.filter(({ correct }) => correct).length
  const wrong = new Map<string, number>()
  for (const { correct, extracted } of voters) if (!correct) wrong.set(extracted!, (wrong.get(extracted!) ?? 0) + 1)
  // Only where the wrong answers could outvote the right one does it matter which of them are the same.
  const outvoted = () => Math.max(0, ...wrong.values()) > right
  if (right === 0 || outvoted()) return 0
  if (equal && voters.length - right >= right) await merge(wrong, (a, b) => equal(a, b, signal))
  if (outvoted()) return 0
  return 1 / (1 + [...wrong.values()].filter((votes) => votes === right).length)
}

/** Joins the votes of equal answers, the most frequent first. */
async function merge(votes: Map<string, number>, equal: NonNullable<Verifier['sameAnswer']>): Promise<void> {
  const answers: string[] = []
  for (const [answer, count] of [...votes].sort(([, a], [, b]) => b - a)) {
    let same: string | undefined
    for (const other of answers)
      if (await equal(answer, other)) {
        same = other
        break
      }
    if (same === undefined) answers.push(answer)
    else {
      votes.set(same, votes.get(same)! + count)
      votes.delete(answer)
    }
  }
}
