import test from 'ava'
import fc from 'fast-check'
import {
  AdaptiveEntropy,
  type AdaptiveEntropyOptions,
  adaptiveEntropyVariants,
} from '../../src/control/adaptive-entropy.ts'
import { ConstantEntropy } from '../../src/control/constant-entropy.ts'
import type { EntropyController } from '../../src/control/entropy-controller.ts'

const paper = adaptiveEntropyVariants['or1-paper']
const release = adaptiveEntropyVariants['or1-release']
const entropies = [0.3, 0.19, 0.15, 0.2, 0.25]

function trace(controller: EntropyController, values: readonly number[]) {
  return values.map((entropy) => {
    const alpha = controller.applied(entropy)
    controller.observe(entropy)
    return { alpha, next: controller.coefficient }
  })
}

const traces: [string, AdaptiveEntropyOptions, number[], number[]][] = [
  ['or1-paper', paper, [0, 0, 1e-4, 2e-4, 0], [0, 1e-4, 2e-4, 2e-4, 1e-4]],
  ['or1-release', release, [0, 0, 1e-4, 2e-4, 0], [0, 1e-4, 2e-4, 1e-4, 0]],
]
for (const [name, variant, alphas, nexts] of traces) {
  test(`${name}: the worked trace`, (t) => {
    const controller = new AdaptiveEntropy({ ...variant, delta: 1e-4, maximum: 5e-3 })
    for (const [i, { alpha, next }] of trace(controller, entropies).entries()) {
      t.true(Math.abs(alpha - alphas[i]!) < 1e-12, `alpha ${i}: ${alpha}`)
      t.true(Math.abs(next - nexts[i]!) < 1e-12, `c ${i + 1}: ${next}`)
    }
  })
}

test('each difference is an option of its own', (t) => {
  const run = (change: Partial<AdaptiveEntropyOptions>, values: number[]) =>
    trace(new AdaptiveEntropy({ ...paper, delta: 0.25, ...change }), values)
  // at the target: the gate decides alpha, atTarget decides c, each without the other
  t.deepEqual(run({}, [0.1, 0.2])[1], { alpha: 0.25, next: 0.25 })
  t.deepEqual(run({ gate: 'strict' }, [0.1, 0.2])[1], { alpha: 0, next: 0.25 })
  t.deepEqual(run({ atTarget: 'decrease' }, [0.1, 0.2])[1], { alpha: 0.25, next: 0 })
  t.deepEqual(run({ maximum: 0.3 }, [0.1, 0.1])[1], { alpha: 0.25, next: 0.3 })
  t.deepEqual(run({ delta: 0.5 }, [0.1])[0], { alpha: 0, next: 0.5 })
  // one step late: the entropy of the step before decides
  t.deepEqual(run({ timing: 'next-step' }, [0.1, 0.9])[1], { alpha: 0.25, next: 0 })
  t.deepEqual(run({ timing: 'same-step' }, [0.1, 0.9])[1], { alpha: 0, next: 0 })
})

test('the published variants differ as the paper and its code do', (t) => {
  t.deepEqual([paper.delta, paper.maximum, paper.estimator], [0.005, null, 'full'])
  t.deepEqual([release.delta, release.maximum, release.estimator], [0.0001, 0.005, 'sampled'])
  t.is(paper.target, 0.2)
  t.is(release.target, 0.2)
})

test('applied asks and changes nothing', (t) => {
  const controller = new AdaptiveEntropy(paper)
  controller.observe(0.1)
  t.is(controller.applied(0.1), controller.applied(0.1))
  t.is(controller.applied(0.5), 0)
  t.is(controller.coefficient, 0.005)
})

const options: fc.Arbitrary<AdaptiveEntropyOptions> = fc.record({
  target: fc.double({ min: 0, max: 1, noNaN: true }),
  delta: fc.double({ min: 1e-6, max: 0.1, noNaN: true }),
  maximum: fc.option(fc.double({ min: 0, max: 0.2, noNaN: true }), { nil: null }),
  gate: fc.constantFrom('inclusive', 'strict'),
  atTarget: fc.constantFrom('hold', 'decrease'),
  timing: fc.constantFrom('same-step', 'next-step'),
  estimator: fc.constantFrom('full', 'sampled'),
})
const series = fc.array(fc.double({ min: 0, max: 1.5, noNaN: true }), { maxLength: 60 })

test('c stays within its limits and alpha is 0 or c', (t) => {
  fc.assert(
    fc.property(options, series, (settings, values) => {
      const controller = new AdaptiveEntropy(settings)
      for (const entropy of values) {
        const alpha = controller.applied(entropy)
        if (alpha !== 0 && alpha !== controller.coefficient) return false
        const before = controller.coefficient
        controller.observe(entropy)
        if (controller.coefficient < 0 || controller.coefficient > (settings.maximum ?? Infinity)) return false
        if (Math.abs(controller.coefficient - before) > settings.delta * (1 + 1e-9)) return false
      }
      return true
    }),
  )
  t.pass()
})

test('a state that went through JSON continues bit for bit', (t) => {
  fc.assert(
    fc.property(options, series, series, (settings, first, second) => {
      const whole = new AdaptiveEntropy(settings)
      trace(whole, first)
      const resumed = new AdaptiveEntropy(settings)
      resumed.restore(JSON.parse(JSON.stringify(whole.state())))
      return JSON.stringify(trace(whole, second)) === JSON.stringify(trace(resumed, second))
    }),
  )
  t.pass()
})

test('the state names c, the last entropy and the gate', (t) => {
  const controller = new AdaptiveEntropy(release)
  t.deepEqual(controller.state(), { kind: 'adaptive', coefficient: 0, lastEntropy: null, gate: false })
  controller.observe(0.1)
  t.deepEqual(controller.state(), { kind: 'adaptive', coefficient: 0.0001, lastEntropy: 0.1, gate: true })
})

test('constant applies the same in every step, off is constant 0', (t) => {
  t.deepEqual(
    trace(new ConstantEntropy(0.001), entropies).map(({ alpha }) => alpha),
    [0.001, 0.001, 0.001, 0.001, 0.001],
  )
  t.is(new ConstantEntropy(0).applied(0.1), 0)
  const controller = new ConstantEntropy(0.001)
  controller.observe(0.3)
  const again = new ConstantEntropy(0.001)
  again.restore(JSON.parse(JSON.stringify(controller.state())))
  t.deepEqual(again.state(), controller.state())
})

test('bad settings, entropies and states are named', (t) => {
  t.throws(() => new AdaptiveEntropy({ ...paper, delta: 0 }), { message: /delta is 0/ })
  t.throws(() => new AdaptiveEntropy({ ...paper, target: -1 }), { message: /target is -1/ })
  t.throws(() => new AdaptiveEntropy({ ...paper, maximum: Number.NaN }), { message: /maximum is NaN/ })
  t.throws(() => new ConstantEntropy(Number.NaN), { message: /coefficient is NaN/ })
  const controller = new AdaptiveEntropy(paper)
  t.throws(() => controller.applied(Number.NaN), { message: /entropy is NaN/ })
  t.throws(() => controller.observe(Number.POSITIVE_INFINITY), { message: /entropy is Infinity/ })
  t.throws(() => controller.restore(new ConstantEntropy(0).state()), {
    message: /kind is "constant", this run has 'adaptive'/,
  })
  const state = controller.state()
  t.throws(() => controller.restore({ ...state, coefficient: null as unknown as number }), {
    message: /coefficient is null/,
  })
  t.throws(() => controller.restore({ ...state, lastEntropy: 'x' as unknown as number }), {
    message: /lastEntropy is "x"/,
  })
})
