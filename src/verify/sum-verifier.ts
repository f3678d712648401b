import type { RewardSample, Verdict, Verifier } from './verifier.ts'

/** One reward of a sum. */
export interface SumPart {
  verifier: Verifier
  weight: number
  /** counts only where the main part is correct; false unless given */
  whenCorrect?: boolean
}

/**
 * A weighted sum of rewards. Its main part, the first unless told, says what is correct and what was extracted; the others say
 * how much it is worth.
 */
export class SumVerifier implements Verifier {
  readonly name: string
  readonly sameAnswer?: NonNullable<Verifier['sameAnswer']>
  readonly #parts: readonly SumPart[]
  readonly #main: SumPart

  constructor(parts: readonly SumPart[], main: SumPart = parts[0]!) {
    this.#parts = parts
    this.#main = main
    this.name = parts.map(({ verifier, weight }) => `${weight} ${verifier.name}`).join(' + ')
    const { verifier } = main
    if (verifier.sameAnswer) this.sameAnswer = verifier.sameAnswer.bind(verifier)
  }

  async verify(sample: RewardSample, signal?: AbortSignal): Promise<Verdict> {
    const verdicts = await Promise.all(this.#parts.map(({ verifier }) => verifier.verify(sample, signal)))
    const main = verdicts[this.#parts.indexOf(this.#main)]!
    let reward = 0
    for (const [i, { weight, whenCorrect = false }] of this.#parts.entries())
      if (main.correct || !whenCorrect) reward += weight * verdicts[i]!.reward
    const told = this.#parts.map(({ verifier }, i) => {
      const { reward: own, reason } = verdicts[i]!
      return `${verifier.name} ${Number(own.toFixed(4))}${reason === undefined ? '' : ` (${reason})`}`
    })
    return { ...main, reward, reason: told.join(', ') }
  }

  async explain(sample: RewardSample): Promise<string[]> {
    const lines = await Promise.all(this.#parts.map(async ({ verifier }) => (await verifier.explain?.(sample)) ?? []))
    return lines.flat()
  }
}
