import type { EntropyController, EntropyControllerState } from './entropy-controller.ts'
import { checkEntropy, checkState } from './state.ts'

/** The same coefficient in every step; 0 switches the entropy term off. */
export class ConstantEntropy implements EntropyController {
  readonly coefficient: number
  #lastEntropy: number | null = null

  /** @throws RangeError when the coefficient is not a finite number */
  constructor(coefficient: number) {
    if (!Number.isFinite(coefficient)) {
      throw new RangeError(`entropy coefficient is ${coefficient}: it must be a finite number, 0 to switch it off`)
    }
    this.coefficient = coefficient
  }

  applied(_entropy: number): number {
    return this.coefficient
  }

  observe(entropy: number): void {
    checkEntropy(entropy)
    this.#lastEntropy = entropy
  }

  state(): EntropyControllerState {
    return { kind: 'constant', coefficient: this.coefficient, lastEntropy: this.#lastEntropy, gate: true }
  }

  restore(state: EntropyControllerState): void {
    checkState(state, 'constant')
    this.#lastEntropy = state.lastEntropy
  }
}
