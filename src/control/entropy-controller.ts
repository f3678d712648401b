/** What a checkpoint keeps of a controller; plain JSON. */
export interface EntropyControllerState {
  kind: 'adaptive' | 'constant'
  /** c, the coefficient before the gate */
  coefficient: number
  /** e of the last step observed, nats a token; null before the first */
  lastEntropy: number | null
  /** whether the last entropy opened the gate */
  gate: boolean
}

/**
 * Decides the entropy coefficient alpha_k of the loss (Skywork-OR1, eq 3.1 and 3.2). A step asks `applied(e_k)` before
 * its update and tells `observe(e_k)` after it. Entropies are in nats a token, finite, weighted by token over the kept
 * responses of the step.
 */
export interface EntropyController {
  /** c_k, the coefficient before the gate. */
  readonly coefficient: number
  /** alpha_k of the step whose entropy is `entropy`. Changes nothing. */
  applied(entropy: number): number
  /** Moves to c_{k+1}. */
  observe(entropy: number): void
  state(): EntropyControllerState
  /** Goes on from a saved state. Throws an error that names the field when it is not one of this controller. */
  restore(state: EntropyControllerState): void
}
