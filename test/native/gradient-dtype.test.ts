/** `gradientDtype: bfloat16` rounds the gradients of the layers' matrices, and nothing else. */

import test from 'ava'
import { type LossOptions, Policy, type TrainingBatch } from '../../src/index.ts'
import { relativeError } from '../reference/compare.ts'
import { Random } from '../reference/random.ts'
import { batch, config } from './tiny.ts'

const model = { ...config({ hidden: 64, layers: 3 }), tie_word_embeddings: false }
const given = batch(6, 24)
/** Of a value, at most: a bfloat16 keeps 8 bits. */
const rounding = 2 ** -8

/** A policy, and the names of its layers' matrices beside those of what else it has. */
async function created(lora?: { rank: number }) {
  const policy = await Policy.create(model, { dtype: 'bfloat16', seed: 3, ...(lora && { lora }) })
  const shapes = policy.parameterShapes()
  const matrices = shapes.filter(({ name, shape }) => name.includes('.layers.') && shape.length === 2)
  const others = shapes.filter((each) => !matrices.includes(each))
  return { policy, matrices: matrices.map(({ name }) => name), others: others.map(({ name }) => name) }
}

async function gradients(policy: Policy, names: readonly string[], options: LossOptions, of: TrainingBatch = given) {
  const stats = await policy.computeGradients(of, options)
  const found = new Map<string, Float32Array>()
  for (const name of names) found.set(name, await policy.gradient(name))
  return { stats, found }
}

test('of one micro-batch: each element is the float32 one, rounded; others are float32', async (t) => {
  const { policy, matrices, others } = await created()
  using _ = policy
  const names = [...matrices, ...others]
  const exact = await gradients(policy, names, {})
  const rounded = await gradients(policy, names, { gradientDtype: 'bfloat16' })
  t.is(rounded.stats.loss, exact.stats.loss)
  t.true(Math.abs(rounded.stats.gradNorm / exact.stats.gradNorm - 1) <= rounding)
  for (const name of others) t.deepEqual(rounded.found.get(name), exact.found.get(name), name)
  for (const name of matrices) {
    const [actual, expected] = [rounded.found.get(name)!, exact.found.get(name)!]
    t.true(
      new Uint32Array(actual.buffer).every((bits) => (bits & 0xffff) === 0),
      `${name} is of bfloat16 values`,
    )
    // An element that cancels out is as exact as its terms, which the largest ones stand for.
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    const off = expected.findIndex(
      (value, i) => !(Math.abs(actual[i]! - value) <= rounding * Math.abs(value) + 1e-6 * largest),
    )
    t.is(off, -1, `${name}[${off}] is ${actual[off]}, ${expected[off]} in float32`)
  }
})

test('of several micro-batches: the sum is rounded at each', async (t) => {
  const { policy, matrices } = await created()
  using _ = policy
  const cut = { maxTokensPerMicroBatch: 46, sharePrompts: false }
  const exact = await gradients(policy, matrices, cut)
  const rounded = await gradients(policy, matrices, { ...cut, gradientDtype: 'bfloat16' })
  t.is(exact.stats.microBatches, 3)
  for (const name of matrices) {
    const error = relativeError(rounded.found.get(name)!, exact.found.get(name)!)
    t.true(error > 0 && error <= 3 * rounding, `${name} is off by ${error}`)
  }
})

test('of 64 micro-batches: within 2 %', async (t) => {
  const { policy, matrices } = await created()
  using _ = policy
  const [sequences, length] = [64, 24]
  const random = new Random(11)
  const of = {
    ...batch(sequences, length),
    tokenIds: Int32Array.from(random.integers(sequences * length, 331)),
    advantages: Float32Array.from({ length: sequences }, () => random.normal()),
  }
  const cut = { maxTokensPerMicroBatch: length, sharePrompts: false }
  const exact = await gradients(policy, matrices, cut, of)
  const rounded = await gradients(policy, matrices, { ...cut, gradientDtype: 'bfloat16' }, of)
  t.is(rounded.stats.microBatches, sequences)
  for (const name of matrices) {
    const error = relativeError(rounded.found.get(name)!, exact.found.get(name)!)
    t.true(error <= 0.02, `${name} is off by ${error}`)
  }
})

test('updates with either type follow one another, to the same masters but for rounding', async (t) => {
  const start = await created()
  using policy = start.policy
  using other = (await created()).policy
  const settings = { learningRate: 1e-3, weightDecay: 0, sharePrompts: false, maxTokensPerMicroBatch: 46 }
  const before = new Map<string, Float32Array>()
  for (const name of start.matrices) before.set(name, await policy.parameter(name))
  for (const [step, gradientDtype] of (['bfloat16', 'float32', 'bfloat16', 'bfloat16'] as const).entries()) {
    const of = batch(6, 24 + step)
    const exact = await other.trainStep(of, settings)
    const stats = await policy.trainStep(of, { ...settings, gradientDtype })
    t.true(
      Math.abs(stats.gradNorm / exact.gradNorm - 1) <= 2 ** -6,
      `step ${step}: ${stats.gradNorm}, ${exact.gradNorm}`,
    )
  }
  for (const name of start.matrices) {
    const from = before.get(name)!
    const moved = (to: Float32Array) => to.map((value, i) => value - from[i]!)
    const error = relativeError(moved(await policy.parameter(name)), moved(await other.parameter(name)))
    t.true(error <= 0.05, `${name} moved otherwise by ${error}`)
  }
})

test('adapters have float32 gradients', async (t) => {
  const { policy, matrices } = await created({ rank: 4 })
  using _ = policy
  const adapters = matrices.filter((name) => name.includes('lora_'))
  t.true(adapters.length > 0)
  const exact = await gradients(policy, adapters, {})
  const same = await gradients(policy, adapters, { gradientDtype: 'bfloat16' })
  for (const name of adapters) t.deepEqual(same.found.get(name), exact.found.get(name), name)
})

test('a float32 policy refuses it', async (t) => {
  using policy = await Policy.create(config())
  const refused = {
    code: 'INVALID_ARGUMENT',
    message: /gradientDtype is "bfloat16", but the policy's dtype is float32: leave gradientDtype out/,
  }
  await t.throwsAsync(policy.computeGradients(batch(), { gradientDtype: 'bfloat16' }), refused)
  await t.throwsAsync(policy.trainStep(batch(), { gradientDtype: 'bfloat16' }), refused)
  await t.throwsAsync(policy.trainStep(batch(), { gradientDtype: 'float16' as 'float32' }), {
    message: /gradientDtype must be "float32" or "bfloat16"/,
  })
})
