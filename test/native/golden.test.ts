import test from 'ava'
import { Policy } from '../../src/index.ts'
import { largestDifference, norm, relativeError } from '../reference/compare.ts'
import {
  architectures,
  clipShares,
  flatTokens,
  type Golden,
  loadGolden,
  lossOptions,
  mean,
  sequencesOf,
} from '../reference/golden.ts'

/** What float32 must reach against transformers in float64. */
const bound = 1e-4

const close = (actual: number, expected: number, scale = Math.abs(expected)) =>
  Math.abs(actual - expected) <= bound * Math.max(scale, 1e-3)

const load = (golden: Golden) => Policy.load(golden.dir, { device: 'cpu', dtype: 'float32' })

function trainingBatch(golden: Golden) {
  return { ...golden.batch, oldLogprobs: golden.oldLogprobs, referenceLogprobs: golden.referenceLogprobs }
}

for (const name of architectures) {
  const golden = loadGolden(name)
  const { expected } = golden

  test(`${name}: log-probs and entropies at each temperature`, async (t) => {
    using policy = await load(golden)
    const temperatures = new Set<number>()
    for (const loss of expected.losses) {
      const { temperature } = loss.options
      temperatures.add(temperature)
      const scores = await policy.score(sequencesOf(golden.batch), { temperature })
      for (const key of ['logprobs', 'entropy'] as const) {
        const error = relativeError(scores[key], flatTokens(loss, key))
        t.true(error <= bound, `${key} at temperature ${temperature}: ${error}`)
      }
    }
    t.true(temperatures.size > 1)
  })

  test(`${name}: logits at the last position`, async (t) => {
    using policy = await load(golden)
    for (const [s, sequence] of expected.sequences.entries()) {
      const logits = await policy.logits(Int32Array.from(sequence))
      t.true(relativeError(logits, expected.last_logits[s]!) <= bound)
    }
  })

  test(`${name}: 20 greedy tokens`, async (t) => {
    using policy = await load(golden)
    const prompts = expected.sequences.map((sequence, s) => ({
      promptTokenIds: Int32Array.from(sequence.slice(0, expected.prompt_lengths[s]!)),
      n: 1,
    }))
    const results = await policy.generate(prompts, { maxNewTokens: 20, temperature: 0, stopTokenIds: [] })
    t.deepEqual(
      results.map(({ completions }) => Array.from(completions[0]!.tokenIds)),
      golden.greedy,
    )
    t.true(results.every(({ completions }) => completions[0]!.finishReason === 'length'))
  })

  for (const [index, loss] of expected.losses.entries()) {
    test(`${name}: loss ${index} ${JSON.stringify(loss.options)}`, async (t) => {
      using policy = await load(golden)
      const stats = await policy.computeGradients(trainingBatch(golden), lossOptions(loss))
      t.true(close(stats.loss, loss.loss), `loss ${stats.loss}, expected ${loss.loss}`)
      t.is(stats.tokens, golden.oldLogprobs.length)
      t.false(stats.skipped)

      t.true(close(stats.entropy, mean(flatTokens(loss, 'entropy'))))
      t.true(close(stats.entropySampled, -mean(flatTokens(loss, 'logprobs'))))
      t.true(close(stats.kl, mean(flatTokens(loss, 'kl'))))
      const approxKl = mean(flatTokens(loss, 'ratio').map((rho) => 1 / rho + Math.log(rho) - 1))
      t.true(close(stats.approxKl, approxKl), `approxKl ${stats.approxKl}, expected ${approxKl}`)
      const { entropyCoefficient, klCoefficient } = lossOptions(loss)
      t.true(close(stats.loss, stats.policyLoss - entropyCoefficient * stats.entropy + klCoefficient * stats.kl))

      const shares = clipShares(loss, expected.advantages)
      t.true(close(stats.clipFractionLow, shares.low, 1))
      t.true(close(stats.clipFractionHigh, shares.high, 1))
      t.true(close(stats.clipFraction, shares.low + shares.high, 1))
      t.true(shares.low + shares.high > 0)

      t.true(close(stats.gradNorm, loss.grad_norm), `norm ${stats.gradNorm}, expected ${loss.grad_norm}`)
      const names = policy.parameterShapes().map((parameter) => parameter.name)
      t.deepEqual(names.toSorted(), Object.keys(loss.grad_norms).toSorted())
      for (const parameter of names) {
        const gradient = await policy.gradient(parameter)
        const size = loss.grad_norms[parameter]!
        t.true(close(norm(gradient), size), `${parameter}: norm ${norm(gradient)}, expected ${size}`)
        // The first 8 may all be tiny: held against their own norm or that of 8 average values.
        const first8 = loss.grad_first8[parameter]!
        const scale = Math.max(norm(first8), size * Math.sqrt(8 / gradient.length))
        const difference = largestDifference(gradient.subarray(0, 8), first8)
        t.true(difference <= bound * scale, `${parameter}: first 8 values differ by ${difference} of ${scale}`)
      }
    })
  }

  test(`${name}: on-policy loss and gradients, ratio exactly 1`, async (t) => {
    using policy = await load(golden)
    const variant = golden.variants.find(({ options }) => options.onPolicy)!
    const entropyCoefficient = variant.options.entropyCoefficient!
    const stats = await policy.computeGradients(golden.batch, {
      temperature: 1,
      clipLow: 0.2,
      clipHigh: 0.2,
      entropyCoefficient,
      klCoefficient: 0,
    })
    t.true(close(stats.loss, variant.loss))
    t.true(close(stats.gradNorm, variant.grad_norm))
    t.is(stats.clipFraction, 0)
    t.is(stats.approxKl, 0)
    t.is(stats.kl, 0)
    for (const [parameter, size] of Object.entries(variant.grad_norms)) {
      t.true(close(norm(await policy.gradient(parameter)), size), parameter)
    }
  })

  test(`${name}: one AdamW step`, async (t) => {
    using policy = await load(golden)
    const step = expected.adamw_step
    const loss = expected.losses[step.loss_index]!
    const before = new Map<string, Float32Array>()
    for (const parameter of Object.keys(step.param_first8)) before.set(parameter, await policy.parameter(parameter))
    const stats = await policy.trainStep(trainingBatch(golden), {
      ...lossOptions(loss),
      learningRate: step.lr,
      betas: step.betas,
      epsilon: step.eps,
      weightDecay: step.weight_decay,
      maxGradNorm: step.max_grad_norm,
    })
    t.true(close(stats.loss, loss.loss))
    t.true(close(stats.gradNorm, loss.grad_norm))
    t.false(stats.skipped)
    for (const [parameter, first8] of Object.entries(step.param_first8)) {
      const after = (await policy.parameter(parameter)).subarray(0, 8)
      t.true(relativeError(after, first8) <= bound, parameter)
      // Held against the size of the update as well, which is far smaller than the parameter. Some gradients of a key's
      // bias are near AdamW's epsilon: there the update follows the rounding of sums, 0.4 % from one library to another.
      const old = before.get(parameter)!
      const moved = (values: ArrayLike<number>) => Array.from(values, (value, i) => value - old[i]!)
      const error = relativeError(moved(after), moved(first8))
      t.true(error <= (parameter.endsWith('k_proj.bias') ? 1e-2 : 2e-3), `${parameter}: the update is off by ${error}`)
    }
    const { loss: lossAfter } = await policy.computeGradients(trainingBatch(golden), lossOptions(loss))
    t.true(close(lossAfter, step.loss_after), `loss after ${lossAfter}, expected ${step.loss_after}`)
  })

  // bfloat16 keeps 8 bits: each layer adds about 2^-8 relative; three layers and the head stay within these.
  test(`${name}: bfloat16 stays near`, async (t) => {
    using policy = await Policy.load(golden.dir, { device: 'cpu', dtype: 'bfloat16' })
    const loss = expected.losses[0]!
    const scores = await policy.score(sequencesOf(golden.batch), { temperature: loss.options.temperature })
    t.true(relativeError(scores.logprobs, flatTokens(loss, 'logprobs')) <= 0.01)
    t.true(relativeError(scores.entropy, flatTokens(loss, 'entropy')) <= 0.01)
    const variant = golden.variants.find(({ options }) => options.onPolicy)!
    const stats = await policy.computeGradients(golden.batch, {
      temperature: 1,
      entropyCoefficient: variant.options.entropyCoefficient!,
    })
    t.true(Math.abs(stats.loss - variant.loss) <= 0.01)
    t.true(Math.abs(stats.gradNorm / variant.grad_norm - 1) <= 0.02, `${stats.gradNorm} of ${variant.grad_norm}`)
  })
}
