import type { EntropyController, EntropyControllerState } from './entropy-controller.ts'
import { checkEntropy, checkState } from './state.ts'

/** Where the paper and the released code differ, each an option of its own. */
export interface AdaptiveEntropyOptions {
  /** the entropy to keep, nats a token */
  target: number
  /** how far c moves in a step, > 0 */
  delta: number
  /** largest c; null: no limit. The least is always 0. */
  maximum: number | null
  /** `inclusive`: alpha = c where e <= target; `strict`: only where e < target */
  gate: 'inclusive' | 'strict'
  /** what c does where e equals the target */
  atTarget: 'hold' | 'decrease'
  /** `same-step`: alpha_k follows the gate of e_k; `next-step`: that of e_{k-1}, and alpha_0 = 0 */
  timing: 'same-step' | 'next-step'
  /**
   * Which e_k the caller measures. `full`: mean full-vocabulary entropy of the rollout tokens; `sampled`: minus the
   * mean log-prob of the sampled tokens.
   */
  estimator: 'full' | 'sampled'
}

/** The two published forms of the controller: the paper's (Skywork-OR1, eq 3.2) and that of its training code. */
export const adaptiveEntropyVariants = {
  'or1-paper': {
    target: 0.2,
    delta: 0.005,
    maximum: null,
    gate: 'inclusive',
    atTarget: 'hold',
    timing: 'same-step',
    estimator: 'full',
  },
  'or1-release': {
    target: 0.2,
    delta: 0.0001,
    maximum: 0.005,
    gate: 'strict',
    atTarget: 'decrease',
    timing: 'next-step',
    estimator: 'sampled',
  },
} as const satisfies Record<string, AdaptiveEntropyOptions>

/**
 * Adaptive entropy control, Skywork-OR1, eq 3.2: the coefficient c grows by delta while the entropy is below the target
 * and shrinks by delta while it is above, within [0, maximum], and applies only while the gate is open:
 *
 *     alpha_k = c_k if e_k <= target else 0
 *     c_{k+1} = c_k + delta if e_k < target;  c_k - delta if e_k > target;  c_0 = 0
 *
 * @example
 *     const controller = new AdaptiveEntropy(adaptiveEntropyVariants['or1-paper'])
 *     const alpha = controller.applied(entropy) // before the update
 *     controller.observe(entropy) // after it
 */
export class AdaptiveEntropy implements EntropyController {
  readonly options: AdaptiveEntropyOptions
  #coefficient = 0
  #lastEntropy: number | null = null

  /** @throws RangeError when target, delta or maximum is out of range */
  constructor(options: AdaptiveEntropyOptions) {
    const { target, delta, maximum } = options
    if (!(target >= 0 && Number.isFinite(target))) {
      throw new RangeError(`adaptive entropy: target is ${target}: it must be a number of nats, at least 0`)
    }
    if (!(delta > 0 && Number.isFinite(delta))) {
      throw new RangeError(`adaptive entropy: delta is ${delta}: it must be a number above 0`)
    }
    if (maximum !== null && !(maximum >= 0 && Number.isFinite(maximum))) {
      throw new RangeError(
        `adaptive entropy: maximum is ${maximum}: it must be a number, at least 0, or null for no limit`,
      )
    }
    this.options = { ...options }
  }

  get coefficient(): number {
    return this.#coefficient
  }

  applied(entropy: number): number {
    checkEntropy(entropy)
    const deciding = this.options.timing === 'same-step' ? entropy : this.#lastEntropy
    return this.#opens(deciding) ? this.#coefficient : 0
  }

  observe(entropy: number): void {
    checkEntropy(entropy)
    const { target, delta, atTarget } = this.options
    if (entropy < target) this.#coefficient = this.#clamp(this.#coefficient + delta)
    else if (entropy > target || atTarget === 'decrease') this.#coefficient = this.#clamp(this.#coefficient - delta)
    this.#lastEntropy = entropy
  }

  state(): EntropyControllerState {
    return {
      kind: 'adaptive',
      coefficient: this.#coefficient,
      lastEntropy: this.#lastEntropy,
      gate: this.#opens(this.#lastEntropy),
    }
  }

  restore(state: EntropyControllerState): void {
    checkState(state, 'adaptive')
    this.#coefficient = this.#clamp(state.coefficient)
    this.#lastEntropy = state.lastEntropy
  }

  /** The gate is recomputed from the entropy that decides it, so that a changed target holds after a resume. */
  #opens(entropy: number | null): boolean {
    if (entropy === null) return false
    return this.options.gate === 'inclusive' ? entropy <= this.options.target : entropy < this.options.target
  }

  #clamp(coefficient: number): number {
    return Math.max(0, Math.min(coefficient, this.options.maximum ?? Number.POSITIVE_INFINITY))
  }
}
