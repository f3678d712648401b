import test, { type ExecutionContext } from 'ava'
import { loadAddon } from '../../src/native/load.ts'
import { largestDifference, norm, relativeError, roundToBfloat16 } from '../reference/compare.ts'
import { type HeadInput, type HeadOptions, headReference } from '../reference/head.ts'
import { Random } from '../reference/random.ts'

type Input = HeadInput<Float32Array>

const addon = loadAddon()

const options: HeadOptions = {
  temperature: 0.8,
  clipLow: 0.2,
  clipHigh: 0.28,
  entropyCoefficient: 0.02,
  klCoefficient: 0.1,
}

/** Hidden states and weights of a size that gives logits of standard deviation 2. */
function randomInput(seed: number, N: number, V: number, H: number, spread = 2): Input {
  const random = new Random(seed)
  const input: Input = {
    hidden: random.fill(new Float32Array(N * H), 1),
    weight: random.fill(new Float32Array(V * H), spread / Math.sqrt(H)),
    hiddenSize: H,
    targets: random.integers(N, V),
    advantages: random.fill(new Float32Array(N), 1),
  }
  return withOthers(input, random, options)
}

/** Old and reference log-probs around the current ones, so that some tokens are clipped on each side. */
function withOthers(input: Input, random: Random, options: HeadOptions): Input {
  const { logprobs } = headReference(input, options)
  const near = () => awayFromTheClip(logprobs, random)
  return { ...input, oldLogprobs: near(), referenceLogprobs: near() }
}

/** A float32 ratio that lies on the clip's edge may fall on either side: keep away from both edges. */
function awayFromTheClip(logprobs: Float32Array, random: Random): Float32Array {
  return logprobs.map((logprob) => {
    for (;;) {
      const shift = 0.3 * random.normal()
      const ratio = Math.exp(-shift)
      const low = Math.abs(ratio - 1 + options.clipLow)
      const high = Math.abs(ratio - 1 - options.clipHigh)
      if (Math.min(low, high) > 0.02) return logprob + shift
    }
  })
}

interface Bounds {
  /** largest |difference| of a log-prob or an entropy, nats */
  score: number
  /** ||difference|| / ||expected|| of a gradient tensor */
  gradient: number
}

async function agrees(
  t: ExecutionContext,
  input: Input,
  options: HeadOptions,
  bounds: Bounds,
  dtype: 'float32' | 'bfloat16' = 'float32',
) {
  const actual = await addon.head(input, { ...options, device: 'cpu', dtype })
  const seen: Input =
    dtype === 'bfloat16'
      ? { ...input, hidden: roundToBfloat16(input.hidden), weight: roundToBfloat16(input.weight) }
      : input
  const expected = headReference(seen, options)
  for (const name of ['logprobs', 'entropy'] as const) {
    const difference = largestDifference(actual[name], expected[name])
    t.true(difference <= bounds.score, `${name} differ by ${difference}`)
  }
  for (const name of ['hiddenGradient', 'weightGradient'] as const) {
    // Where the exact gradient cancels to zero there is nothing to be relative to: 1e-3 stands in for its norm.
    const error = relativeError(actual[name], expected[name]) * Math.min(1, norm(expected[name]) / 1e-3)
    t.true(error <= bounds.gradient, `${name}: relative error ${error}`)
  }
  const lossError = Math.abs(actual.loss - expected.loss)
  t.true(lossError <= bounds.score * Math.max(1, Math.abs(expected.loss)), `the loss differs by ${lossError}`)
  return { actual, expected }
}

// Measured with AVX-512: scores to 8e-6, gradients to 6e-6 relative.
const float32: Bounds = { score: 2e-5, gradient: 1e-5 }

for (const [N, V, H] of [
  [1, 7, 5],
  [3, 7, 16],
  [13, 331, 64],
  [101, 97, 33],
  [257, 1009, 24],
  [1031, 53, 8],
  [3, 49152, 64],
] as const) {
  test(`float32 equals the slow twin: ${N} tokens, hidden ${H}, vocabulary ${V}`, async (t) => {
    const { expected } = await agrees(t, randomInput(N + V, N, V, H), options, float32)
    if (N > 100) t.true(expected.clipped > 0 && expected.clipped < N)
  })
}

const variants: [string, Partial<HeadOptions>, (input: Input) => Input][] = [
  ['on-policy', { entropyCoefficient: 0, klCoefficient: 0 }, ({ oldLogprobs, referenceLogprobs, ...rest }) => rest],
  ['on-policy with entropy and KL', {}, ({ oldLogprobs, ...rest }) => rest],
  ['policy term alone, clipped', { entropyCoefficient: 0, klCoefficient: 0 }, (input) => input],
  [
    'entropy alone',
    { klCoefficient: 0 },
    (input) => ({ ...input, advantages: new Float32Array(input.targets.length) }),
  ],
  ['negative advantages', {}, (input) => ({ ...input, advantages: input.advantages.map((a) => -Math.abs(a)) })],
  ['positive advantages', {}, (input) => ({ ...input, advantages: input.advantages.map(Math.abs) })],
  ['clip off', { clipLow: 1, clipHigh: 1e9 }, (input) => input],
]

for (const [name, changes, change] of variants) {
  test(`float32 equals the slow twin: ${name}`, async (t) => {
    await agrees(t, change(randomInput(5, 67, 211, 31)), { ...options, ...changes }, float32)
  })
}

for (const temperature of [0.25, 1, 2.5]) {
  test(`float32 equals the slow twin: temperature ${temperature}`, async (t) => {
    const { oldLogprobs, ...input } = randomInput(6, 40, 301, 32)
    await agrees(t, input, { ...options, temperature }, float32)
  })
}

test('old log-probs that equal the current ones give the on-policy gradient', async (t) => {
  const { oldLogprobs, referenceLogprobs, ...input } = randomInput(9, 30, 101, 16)
  const settings = { ...options, klCoefficient: 0, device: 'cpu', dtype: 'float32' } as const
  const free = await addon.head(input, settings)
  const same = await addon.head({ ...input, oldLogprobs: free.logprobs }, settings)
  t.true(relativeError(same.weightGradient, free.weightGradient) <= 1e-6)
  t.true(relativeError(same.hiddenGradient, free.hiddenGradient) <= 1e-6)
})

/** hidden = e_0 for every token, so that the logits are the first column of the weight, exactly. */
function givenLogits(logits: number[], targets: number[]): Input {
  const H = 4
  const hidden = new Float32Array(targets.length * H)
  for (let n = 0; n < targets.length; n++) hidden[n * H] = 1
  const weight = new Float32Array(logits.length * H)
  for (const [v, logit] of logits.entries()) weight[v * H] = logit
  return {
    hidden,
    weight,
    hiddenSize: H,
    targets: Int32Array.from(targets),
    advantages: new Float32Array(targets.length).fill(1),
  }
}

const plain: HeadOptions = { ...options, temperature: 1, klCoefficient: 0 }

test('equal logits: log-prob -log V, entropy log V', async (t) => {
  for (const V of [2, 7, 1000]) {
    // The gradient for hidden is a sum of V multiples of the logit that cancels to zero: a larger one leaves a larger rest.
    const input = givenLogits(Array(V).fill(0.05), [0, V - 1])
    const { actual } = await agrees(t, input, plain, { score: 1e-5, gradient: 1e-3 })
    for (const n of [0, 1]) {
      t.true(Math.abs(actual.logprobs[n]! + Math.log(V)) <= 1e-5)
      t.true(Math.abs(actual.entropy[n]! - Math.log(V)) <= 1e-5)
    }
  }
})

test('logits of 80 and -80 side by side: finite and right', async (t) => {
  const logits = [80, -80, 80, -80, 0, 80, -80]
  const { actual } = await agrees(t, givenLogits(logits, [0, 1, 4]), plain, { score: 1e-4, gradient: 1e-4 })
  t.true(Math.abs(actual.logprobs[0]! + Math.log(3)) <= 1e-5)
  t.true(Math.abs(actual.logprobs[1]! + 160 + Math.log(3)) <= 1e-4)
  t.true(Math.abs(actual.entropy[0]! - Math.log(3)) <= 1e-5)
})

test('one logit dominates: its log-prob is 0, entropy 0, every gradient finite', async (t) => {
  for (const top of [100, 1e4, 1e30]) {
    const { actual } = await agrees(t, givenLogits([0, top, 0, -top], [1, 1]), plain, { score: 1e-5, gradient: 1e-4 })
    t.is(Math.abs(actual.logprobs[0]!), 0)
    t.true(Math.abs(actual.entropy[0]!) <= 1e-6)
    t.true(actual.weightGradient.every(Number.isFinite) && actual.hiddenGradient.every(Number.isFinite))
  }
})

test('a small temperature makes the same distribution as larger logits', async (t) => {
  const sharp = await addon.head(givenLogits([1, 2, 3, 4], [0, 3]), {
    ...plain,
    temperature: 0.01,
    device: 'cpu',
    dtype: 'float32',
  })
  const large = await addon.head(givenLogits([100, 200, 300, 400], [0, 3]), {
    ...plain,
    device: 'cpu',
    dtype: 'float32',
  })
  t.true(largestDifference(sharp.logprobs, large.logprobs) <= 1e-3)
  t.true(largestDifference(sharp.entropy, large.entropy) <= 1e-6)
})

// bfloat16 keeps 8 bits: a logit of size 8 is rounded by up to 2^-6 where the product leaves the GEMM in bfloat16, and the
// gradient by the same share where the rounded logits gradient enters the next one. The twin sees the same rounded inputs.
// Measured: scores to 0.016 nats, gradients to 0.4 %.
const bfloat16: Bounds = { score: 0.05, gradient: 0.01 }

for (const [N, V, H] of [
  [13, 331, 64],
  [101, 97, 33],
  [3, 49152, 64],
] as const) {
  test(`bfloat16 follows the slow twin: ${N} tokens, hidden ${H}, vocabulary ${V}`, async (t) => {
    const { oldLogprobs, ...input } = randomInput(N + V, N, V, H)
    await agrees(t, input, options, bfloat16, 'bfloat16')
  })
}

const bad: [string, (input: Input) => Input, RegExp][] = [
  ['a target outside the vocabulary', (i) => ({ ...i, targets: i.targets.with(1, 11) }), /target/],
  ['a negative target', (i) => ({ ...i, targets: i.targets.with(0, -1) }), /target/],
  ['hidden states that do not fit the targets', (i) => ({ ...i, hidden: i.hidden.subarray(1) }), /hidden/],
  ['a weight that is not whole rows', (i) => ({ ...i, weight: i.weight.subarray(1) }), /weight/],
  ['advantages of another length', (i) => ({ ...i, advantages: i.advantages.subarray(1) }), /advantages/],
  ['old log-probs of another length', (i) => ({ ...i, oldLogprobs: i.oldLogprobs!.subarray(1) }), /oldLogprobs/],
]

for (const [name, change, message] of bad) {
  test(`refuses ${name}`, async (t) => {
    const input = change(randomInput(3, 5, 11, 4))
    // A wrong argument may be refused at the call or by the promise.
    await t.throwsAsync(async () => addon.head(input, { ...options, device: 'cpu', dtype: 'float32' }), { message })
  })
}

test('repetitions give one result, the time of each and the memory they took', async (t) => {
  const input = randomInput(7, 40, 300, 16)
  const call = { ...options, device: 'cpu', dtype: 'float32' } as const
  const { seconds: once, extraMemoryBytes: _, ...expected } = await addon.head(input, call)
  const { seconds, extraMemoryBytes, ...repeated } = await addon.head(input, { ...call, repetitions: 3 })
  t.deepEqual(repeated, expected)
  t.is(once.length, 1)
  t.is(seconds.length, 3)
  t.true(seconds.every((each) => each > 0))
  t.true(extraMemoryBytes >= 0 && extraMemoryBytes < 2 ** 28, `${extraMemoryBytes}`)
  await t.throwsAsync(async () => addon.head(input, { ...call, repetitions: 0 }), { message: /repetitions/ })
})

// Before the others, whose memory would count.
test.serial('beyond its inputs and gradients the head takes one chunk of logits, in equal parts', async (t) => {
  const [N, V, H] = [1400, 49_152, 8]
  const random = new Random(8)
  const input = {
    hidden: random.fill(new Float32Array(N * H), 1),
    weight: random.fill(new Float32Array(V * H), 1),
    hiddenSize: H,
    targets: random.integers(N, V),
    advantages: random.fill(new Float32Array(N), 1),
  }
  const { extraMemoryBytes } = await addon.head(input, {
    ...{ ...options, klCoefficient: 0 },
    ...{ device: 'cpu', dtype: 'float32' },
  })
  // Three chunks of 467 rows, one after the other, within the 104 MiB that a chunk may have. What is measured is the whole
  // process.
  const chunk = 467 * V * 4
  t.true(extraMemoryBytes > 0.9 * chunk && extraMemoryBytes < 2 * chunk, `${extraMemoryBytes} bytes`)
})
