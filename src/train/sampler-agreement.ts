import type { DType } from '../native/contract.ts'
import type { StepStats } from '../policy/policy.ts'

/** Largest difference of a token's log-prob between the sampler and the trainer that rounding explains, nats. */
const agreementBounds: Readonly<Record<DType, number>> = { float32: 1e-4, bfloat16: 0.5 }

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
    if (this.#warned || !first || first.skipped || first.logprobDifferenceMax <= bound) return
    this.#warned = true
    const { logprobDifferenceMax: most, logprobDifferenceMean: mean } = first
    this.#onWarning?.(
      `step ${step}: log-probs of sampler and trainer differ by up to ${most.toPrecision(2)} nats a token (mean ${mean.toPrecision(2)}); ` +
        `${this.#dtype} explains ${bound}`,
    )
  }
}
