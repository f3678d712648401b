import test from 'ava'
import { Policy } from '../../src/index.ts'
import { norm, relativeError } from '../reference/compare.ts'
import { architectures, loadGolden, variantCall } from '../reference/golden.ts'

/** What float32 must reach against transformers in float64. */
const bound = 1e-4

const close = (actual: number, expected: number, limit = bound) =>
  Math.abs(actual - expected) <= limit * Math.max(Math.abs(expected), 1e-2)

for (const name of architectures) {
  const golden = loadGolden(name)
  for (const variant of golden.variants) {
    test(`${name}: ${JSON.stringify(variant.options)}`, async (t) => {
      using policy = await Policy.load(golden.dir)
      const { batch, options } = variantCall(golden, variant)
      const whole = await policy.computeGradients(batch, options)
      t.true(close(whole.loss, variant.loss), `loss ${whole.loss}, expected ${variant.loss}`)
      t.true(close(whole.gradNorm, variant.grad_norm), `norm ${whole.gradNorm}, expected ${variant.grad_norm}`)
      t.true(Math.abs(whole.clipFraction - variant.clip_fraction) < 1e-6, `clip fraction ${whole.clipFraction}`)
      const gradients = new Map<string, Float32Array>()
      for (const [parameter, size] of Object.entries(variant.grad_norms)) {
        const gradient = await policy.gradient(parameter)
        gradients.set(parameter, gradient)
        t.true(close(norm(gradient), size), `${parameter}: norm ${norm(gradient)}, expected ${size}`)
      }
      for (const maxTokensPerMicroBatch of [16, 100]) {
        const split = await policy.computeGradients(batch, { ...options, maxTokensPerMicroBatch })
        // The loss may be next to nothing: a mean of terms near 1 that float32 log-probs make, to some 1e-7 each.
        t.true(Math.abs(split.loss - whole.loss) <= 1e-6, `loss ${split.loss} in micro-batches, ${whole.loss} whole`)
        for (const [parameter, gradient] of gradients)
          t.true(relativeError(await policy.gradient(parameter), gradient) <= 1e-5, parameter)
      }
    })
  }
}

test('lossScale multiplies the loss and every gradient, all terms alike', async (t) => {
  const golden = loadGolden('qwen3')
  using policy = await Policy.load(golden.dir)
  const batch = { ...golden.batch, oldLogprobs: golden.oldLogprobs, referenceLogprobs: golden.referenceLogprobs }
  for (const terms of [{}, { entropyCoefficient: 0.01, klCoefficient: 0.1 }]) {
    const whole = await policy.computeGradients(batch, terms)
    const names = policy.parameterShapes().map(({ name }) => name)
    const gradients = await Promise.all(names.map((name) => policy.gradient(name)))
    // A power of two is exact in floating point.
    const half = await policy.computeGradients(batch, { ...terms, lossScale: 0.5 })
    t.deepEqual(
      [half.loss, half.policyLoss, half.gradNorm].map((value) => 2 * value),
      [whole.loss, whole.policyLoss, whole.gradNorm],
    )
    t.deepEqual([half.entropy, half.kl, half.tokens], [whole.entropy, whole.kl, whole.tokens])
    for (const [index, name] of names.entries())
      t.deepEqual(
        (await policy.gradient(name)).map((value) => 2 * value),
        gradients[index],
        name,
      )
  }
  for (const lossScale of [0, -1, Number.POSITIVE_INFINITY])
    await t.throwsAsync(policy.trainStep(batch, { lossScale }), {
      code: 'INVALID_ARGUMENT',
      message: /lossScale must be a finite number above 0, got/,
    })
})

test('loss options that lack what they need say so', async (t) => {
  using policy = await Policy.load(loadGolden('llama').dir)
  const batch = {
    tokenIds: Int32Array.of(1, 2, 3),
    offsets: Int32Array.of(0, 3),
    promptLengths: Int32Array.of(1),
    advantages: Float32Array.of(1),
  }
  const refuse = async (given: object, options: object, message: RegExp) =>
    t.throwsAsync(policy.computeGradients({ ...batch, ...given }, options), { code: 'INVALID_ARGUMENT', message })
  await refuse({}, { importanceSamplingCap: 2 }, /importanceSamplingCap is 2\.0+, but batch\.samplerLogprobs is absent/)
  await refuse({}, { aggregation: 'sequence-mean-token-sum' }, /aggregationConstant is 0\.0+: give the constant/)
  await refuse({}, { aggregation: 'mean' }, /aggregation must be "token-mean" or .*got "mean"/)
  await refuse({}, { dualClip: 0.5 }, /dualClip must be a number above 1, or 0 for none, got 0\.5/)
  await refuse({ lossMask: new Float32Array(2) }, {}, /lossMask is 0 everywhere/)
  await refuse({ lossMask: Float32Array.of(1) }, {}, /lossMask has 1 values, but the batch has 2 response tokens/)
  await refuse({ lossMask: Float32Array.of(1, 0.5) }, {}, /lossMask\[1\] is 0\.5\d*: use 0 or 1/)
})
