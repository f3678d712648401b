import type { EntropyControllerState } from './entropy-controller.ts'

/** An entropy that is not a number would decide the gate by accident: NaN compares false to everything. */
export function checkEntropy(entropy: number): void {
  if (!Number.isFinite(entropy)) {
    throw new RangeError(`entropy is ${entropy}: the controller needs a finite number of nats a token`)
  }
}

/** Checks a state that came from a file. */
export function checkState(state: EntropyControllerState, kind: EntropyControllerState['kind']): void {
  const fail = (what: string) => {
    throw new TypeError(
      `entropy controller state: ${what}; the checkpoint was written with another setting or is damaged`,
    )
  }
  if (state === null || typeof state !== 'object') fail(`is ${JSON.stringify(state)}, not an object`)
  if (state.kind !== kind) fail(`kind is ${JSON.stringify(state.kind)}, this run has '${kind}'`)
  if (!Number.isFinite(state.coefficient))
    fail(`coefficient is ${JSON.stringify(state.coefficient)}, not a finite number`)
  if (state.lastEntropy !== null && !Number.isFinite(state.lastEntropy)) {
    fail(`lastEntropy is ${JSON.stringify(state.lastEntropy)}, neither null nor a finite number`)
  }
  if (typeof state.gate !== 'boolean') fail(`gate is ${JSON.stringify(state.gate)}, neither true nor false`)
}
