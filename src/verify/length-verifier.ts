import type { RewardSample, Verdict, Verifier } from './verifier.ts'

/** Tokens of a response. */
export interface LengthOptions {
  /** up to this length the reward is 1; 0 unless given */
  short?: number
  /** from this length on it is 0 */
  long: number
}

/** Rewards short responses: 1 up to `short` tokens, 0 from `long` on, and a straight line between. Nothing is correct by its length. */
export class LengthVerifier implements Verifier {
  readonly name = 'length'
  readonly #short: number
  readonly #long: number

  constructor({ short = 0, long }: LengthOptions) {
    if (!(short >= 0 && long > short))
      throw new Error(`verifier length: short is ${short} and long is ${long}: expected 0 <= short < long, in tokens`)
    this.#short = short
    this.#long = long
  }

  /** @throws Error where the sample does not say how many tokens its response has */
  async verify({ tokens, prompt }: RewardSample): Promise<Verdict> {
    if (tokens === undefined)
      throw new Error(`verifier length: the number of tokens of the response to prompt ${prompt.id} is not known`)
    const reward = Math.min(1, Math.max(0, (this.#long - tokens) / (this.#long - this.#short)))
    return { reward, correct: false, reason: `${tokens} tokens` }
  }
}
