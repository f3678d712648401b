import type { DType } from '../native/contract.ts'
import type { StepStats } from '../policy/policy.ts'

/**
 * How far log-probs of a token by the sampler and by the trainer are apart where rounding is all that sets them apart,
 * nats, with room: SmolLM2-135M has a mean of 3e-6 and at most 3e-5 in float32, a mean of 0.024 and at most 0.3 of a
 * thousand tokens in bfloat16. There activations of the two ways differ by their last bit, 0.4 %, where sums lie on both
 * sides of a rounding boundary. The mean tells: the largest grows with the number of tokens.
 */
const agreementBounds: Readonly<Record<DType, { mean: number; max: number }>> = {
  float32: { mean: 1e-4, max: 1e-4 },
  bfloat16: { mean: 0.1, max: 2 },
}

/**
 * Sampler and trainer compute the same log-probs by different ways. Where they differ by more than rounding, what is
 * trained is not what was sampled: one of them is wrong.
 */
export class SamplerAgreement {
  readonly #dtype: DType
  readonly #onWarning: ((text: string) => void) | undefined
  #warned = false

  constructor(dtype: DType, onWarning: ((text: string) => void) | undefined) {
    this.#dtype = dtype
    this.#onWarning = onWarning
  }

  /** Warns once. Only a step's first update is looked at: those after it train other weights than were sampled with. */
  check(step: number, updates: readonly StepStats[]): void {
    const [first] = updates
    const bound = agreementBounds[this.#dtype]
    if (this.#warned || !first || first.skipped) return
    const { logprobDifferenceMax: max, logprobDifferenceMean: mean } = first
    if (mean <= bound.mean && max <= bound.max) return
    this.#warned = true
    this.#onWarning?.(
      `step ${step}: log-probs of sampler and trainer differ by ${mean.toPrecision(2)} nats a token, at most ${max.toPrecision(2)}; ` +
        `rounding in ${this.#dtype} explains ${bound.mean}, at most ${bound.max}`,
    )
  }
}
