import test from 'ava'
import fc from 'fast-check'
import { AdaptiveEntropy, adaptiveEntropyVariants } from '../../src/control/adaptive-entropy.ts'

interface Constants {
  target: number
  delta: number
  maximum: number
}

interface Trace {
  alphas: number[]
  /** c_1, c_2, ... */
  coefficients: number[]
}

/** Skywork-OR1, eq 3.2, line by line: c clamped to [0, inf), alpha_k of the same step. */
function paper(entropies: readonly number[], { target, delta }: Constants): Trace {
  const c = [0]
  const alphas = entropies.map((e, k) => {
    const alpha = e <= target ? c[k]! : 0
    if (e < target) c.push(c[k]! + delta)
    else if (e > target) c.push(Math.max(0, c[k]! - delta))
    else c.push(c[k]!)
    return alpha
  })
  return { alphas, coefficients: c.slice(1) }
}

/**
 * The released code: after each update the coefficient moves up or down within [0, maximum], and what the next update
 * uses is set: the coefficient where the entropy was below the target, else 0.
 */
function release(entropies: readonly number[], { target, delta, maximum }: Constants): Trace {
  let coefficient = 0
  let used = 0
  const trace: Trace = { alphas: [], coefficients: [] }
  for (const e of entropies) {
    trace.alphas.push(used)
    if (e < target) coefficient += delta
    else coefficient -= delta
    coefficient = Math.min(Math.max(coefficient, 0), maximum)
    used = e < target ? coefficient : 0
    trace.coefficients.push(coefficient)
  }
  return trace
}

function controlled(controller: AdaptiveEntropy, entropies: readonly number[]): Trace {
  const trace: Trace = { alphas: [], coefficients: [] }
  for (const e of entropies) {
    trace.alphas.push(controller.applied(e))
    controller.observe(e)
    trace.coefficients.push(controller.coefficient)
  }
  return trace
}

const constants = fc.record({
  target: fc.double({ min: 0, max: 1, noNaN: true }),
  delta: fc.double({ min: 1e-6, max: 0.1, noNaN: true }),
  maximum: fc.double({ min: 0, max: 0.3, noNaN: true }),
})
/** Entropies around a target, on it every so often; null stands for the target itself. */
const steps = fc.array(fc.option(fc.double({ min: 0, max: 1.5, noNaN: true }), { nil: null, freq: 4 }), {
  minLength: 1,
  maxLength: 200,
})
const sequence = (drawn: readonly (number | null)[], target: number) => drawn.map((value) => value ?? target)

test('property: or1-paper is equation 3.2 over any sequence of entropies, bit for bit', (t) => {
  fc.assert(
    fc.property(constants, steps, (drawn, values) => {
      const entropies = sequence(values, drawn.target)
      const { target, delta } = drawn
      const controller = new AdaptiveEntropy({ ...adaptiveEntropyVariants['or1-paper'], target, delta })
      t.deepEqual(controlled(controller, entropies), paper(entropies, drawn))
    }),
  )
})

test('property: or1-release is the released code over any sequence of entropies, bit for bit', (t) => {
  fc.assert(
    fc.property(constants, steps, (drawn, values) => {
      const entropies = sequence(values, drawn.target)
      const controller = new AdaptiveEntropy({ ...adaptiveEntropyVariants['or1-release'], ...drawn })
      t.deepEqual(controlled(controller, entropies), release(entropies, drawn))
    }),
  )
})

test('both variants with the published constants, around a target of 0.2', (t) => {
  const near = fc.array(fc.constantFrom(0.1, 0.19, 0.2, 0.21, 0.4), { minLength: 1, maxLength: 300 })
  fc.assert(
    fc.property(near, (entropies) => {
      const published = adaptiveEntropyVariants
      const one = { target: 0.2, delta: 0.005, maximum: Number.POSITIVE_INFINITY }
      t.deepEqual(controlled(new AdaptiveEntropy(published['or1-paper']), entropies), paper(entropies, one))
      const other = { target: 0.2, delta: 0.0001, maximum: 0.005 }
      t.deepEqual(controlled(new AdaptiveEntropy(published['or1-release']), entropies), release(entropies, other))
    }),
  )
})
