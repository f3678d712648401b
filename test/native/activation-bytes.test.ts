import test, { type ExecutionContext } from 'ava'
import { type LossOptions, Policy, type TrainingBatch } from '../../src/index.ts'
import { relativeError } from '../reference/compare.ts'
import { Random } from '../reference/random.ts'
import { config, goldenFolder } from './tiny.ts'

const vocabulary = 331

/** Groups of four responses of up to 40 tokens to a prompt of 24, with old and sampled log-probs and a mask. */
function batch(groups = 3): TrainingBatch {
  const random = new Random(7)
  const tokens: number[] = []
  const offsets = [0]
  const lengths: number[] = []
  for (let group = 0; group < groups; group++) {
    const prompt = random.integers(24, vocabulary)
    for (const response of [40, 11, 1, 27]) {
      tokens.push(...prompt, ...random.integers(response, vocabulary))
      offsets.push(tokens.length)
      lengths.push(response)
    }
  }
  const responses = lengths.reduce((sum, length) => sum + length, 0)
  const perToken = (value: () => number) => Float32Array.from({ length: responses }, value)
  return {
    tokenIds: Int32Array.from(tokens),
    offsets: Int32Array.from(offsets),
    promptLengths: new Int32Array(lengths.length).fill(24),
    advantages: Float32Array.from(lengths, () => random.normal()),
    oldLogprobs: perToken(() => -6 + 0.3 * random.normal()),
    samplerLogprobs: perToken(() => -6 + 0.3 * random.normal()),
    lossMask: perToken(() => (random.normal() > -1 ? 1 : 0)),
  }
}

const losses: LossOptions[] = [
  { entropyCoefficient: 0.01 },
  { ratioLevel: 'sequence', importanceSamplingCap: 2, aggregation: 'sequence-mean-token-mean' },
  { sharePrompts: false, dualClip: 3, entropyCoefficient: 0.01 },
]

async function measure(policy: Policy, options: LossOptions, of = batch()) {
  const stats = await policy.computeGradients(of, options)
  const gradients = new Map<string, Float32Array>()
  for (const { name } of policy.parameterShapes()) gradients.set(name, await policy.gradient(name))
  return { stats, gradients }
}

type Measured = Awaited<ReturnType<typeof measure>>

function same(t: ExecutionContext, actual: Measured, expected: Measured, bound: number, what: string) {
  t.true(Math.abs(actual.stats.loss - expected.stats.loss) <= bound, `${what}: loss`)
  for (const [name, gradient] of expected.gradients) {
    const error = relativeError(actual.gradients.get(name)!, gradient)
    t.true(error <= bound, `${what}: gradient of ${name} is off by ${error}`)
  }
}

const models = {
  'biases on q, k and v': () => Policy.create(config({ layers: 4 }), { seed: 3 }),
  'norms of q and k': () => Policy.load(goldenFolder('qwen3')),
  bfloat16: () => Policy.create(config({ layers: 3 }), { seed: 3, dtype: 'bfloat16' }),
}

for (const [name, create] of Object.entries(models))
  test(`${name}: what does not fit is computed again, with the same result`, async (t) => {
    using policy = await create()
    const { lossMask: _, ...all } = batch()
    for (const loss of losses) {
      const whole = await measure(policy, loss, all)
      const { stats } = await measure(policy, { ...loss, activationCheckpointing: true }, all)
      const [most, least] = [whole.stats.activationBytes, stats.activationBytes]
      t.true(least < 0.9 * most, `${least} of ${most}`)
      t.deepEqual([whole.stats.recomputedLayers, stats.recomputedLayers], [0, policy.shape.layerCount])
      let layers = 0
      for (let part = 0; part <= 6; part++) {
        const activationBytes = Math.ceil(most - 1 - ((most - 1 - least) * part) / 6)
        const again = await measure(policy, { ...loss, activationBytes }, all)
        same(t, again, whole, 1e-6, `${activationBytes} of ${most} bytes`)
        t.true(again.stats.activationBytes <= activationBytes)
        t.true(again.stats.recomputedLayers >= Math.max(1, layers))
        t.is(again.stats.microBatches, 1)
        layers = again.stats.recomputedLayers
      }
      t.is(layers, policy.shape.layerCount)
    }
  })

test('a micro-batch that does not fit is split, with the same result', async (t) => {
  using policy = await Policy.create(config({ layers: 3 }), { seed: 3 })
  for (const loss of losses) {
    const whole = await measure(policy, loss)
    const { stats } = await measure(policy, { ...loss, activationCheckpointing: true })
    for (const part of [2, 3]) {
      const activationBytes = Math.ceil(stats.activationBytes / part)
      const split = await measure(policy, { ...loss, activationBytes })
      same(t, split, whole, 1e-5, `a budget of ${activationBytes}`)
      t.true(split.stats.microBatches >= part, `${split.stats.microBatches} micro-batches`)
      t.true(split.stats.activationBytes <= activationBytes)
    }
  }
})

test('where a sequence fits with every layer computed again only, the head has fewer logits at once', async (t) => {
  const [vocab, length] = [20_000, 400]
  using policy = await Policy.create(config({ vocab }), { seed: 3 })
  const random = new Random(9)
  const sequence = {
    tokenIds: random.integers(length, vocab),
    offsets: Int32Array.of(0, length),
    promptLengths: Int32Array.of(1),
    advantages: Float32Array.of(1),
  }
  const loss = { entropyCoefficient: 0.01 }
  const whole = await measure(policy, loss, sequence)
  const { stats } = await measure(policy, { ...loss, activationCheckpointing: true }, sequence)
  const logits = 4 * vocab * (length - 1)
  t.true(stats.activationBytes > logits)
  for (const part of [0.9, 0.5, 0.2]) {
    const activationBytes = Math.ceil(part * stats.activationBytes)
    const cut = await measure(policy, { ...loss, activationBytes }, sequence)
    same(t, cut, whole, 1e-5, `a budget of ${activationBytes}`)
    t.true(cut.stats.activationBytes <= activationBytes)
    t.is(cut.stats.recomputedLayers, policy.shape.layerCount)
    const scores = await policy.score(sequence, { activationBytes })
    t.true(relativeError(scores.logprobs, (await policy.score(sequence)).logprobs) <= 1e-6)
    t.true(scores.activationBytes <= activationBytes)
  }
})

test('a sequence that does not fit alone is an error that says what it takes, and changes nothing', async (t) => {
  using policy = await Policy.create(config({ layers: 3 }), { seed: 3 })
  const name = 'model.norm.weight'
  await policy.computeGradients(batch(1))
  const [weight, gradient] = [await policy.parameter(name), await policy.gradient(name)]

  const error = await t.throwsAsync(policy.trainStep(batch(1), { activationBytes: 1000 }))
  t.is((error as { code?: string }).code, 'INVALID_ARGUMENT')
  const needed = /^activationBytes is 1000: sequence 0 of 64 tokens takes (\d+) bytes with every layer/.exec(
    error!.message,
  )
  t.truthy(needed, error!.message)
  t.regex(error!.message, /give at least that, 0 for most of the free memory, or shorter sequences/)
  t.deepEqual([await policy.parameter(name), await policy.gradient(name)], [weight, gradient])

  const least = Number(needed![1])
  await t.throwsAsync(policy.computeGradients(batch(1), { activationBytes: least - 1 }), { message: /activationBytes/ })
  const { activationBytes, microBatches } = await policy.computeGradients(batch(1), { activationBytes: least })
  t.true(activationBytes <= least)
  t.true(microBatches > 1)
})

test('scores do not depend on what a micro-batch may take', async (t) => {
  using policy = await Policy.create(config({ layers: 3 }), { seed: 3 })
  const whole = await policy.score(batch())
  const split = await policy.score(batch(), { activationBytes: 1 })
  t.true(relativeError(split.logprobs, whole.logprobs) <= 1e-6)
  t.true(relativeError(split.entropy, whole.entropy) <= 1e-6)
  await t.throwsAsync(policy.score(batch(), { activationBytes: -1 }), {
    message: /activationBytes must be a whole number/,
  })
})
