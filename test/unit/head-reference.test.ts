import { readFileSync } from 'node:fs'
import test from 'ava'
import { largestDifference, relativeError } from '../reference/compare.ts'
import { type HeadInput, type HeadOptions, headReference } from '../reference/head.ts'
import { Random } from '../reference/random.ts'

type Input = HeadInput<Float64Array>

interface OracleCase {
  name: string
  hiddenSize: number
  options: HeadOptions
  hidden: number[]
  weight: number[]
  targets: number[]
  advantages: number[]
  oldLogprobs: number[] | null
  referenceLogprobs: number[] | null
  loss: number
  logprobs: number[]
  entropy: number[]
  hiddenGradient: number[]
  weightGradient: number[]
}

const oracle: OracleCase[] = JSON.parse(readFileSync(new URL('../reference/head-oracle.json', import.meta.url), 'utf8'))

for (const expected of oracle) {
  test(`the twin equals PyTorch autograd in float64: ${expected.name}`, (t) => {
    const input: Input = {
      hidden: Float64Array.from(expected.hidden),
      weight: Float64Array.from(expected.weight),
      hiddenSize: expected.hiddenSize,
      targets: Int32Array.from(expected.targets),
      advantages: Float64Array.from(expected.advantages),
      ...(expected.oldLogprobs ? { oldLogprobs: Float64Array.from(expected.oldLogprobs) } : {}),
      ...(expected.referenceLogprobs ? { referenceLogprobs: Float64Array.from(expected.referenceLogprobs) } : {}),
    }
    const actual = headReference(input, expected.options)
    t.true(Math.abs(actual.loss - expected.loss) <= 1e-12)
    for (const name of ['logprobs', 'entropy', 'hiddenGradient', 'weightGradient'] as const) {
      t.true(relativeError(actual[name], expected[name]) <= 1e-12, name)
    }
    if (expected.name.startsWith('clipped')) t.true(actual.clipped > 0)
  })
}

interface Variant {
  name: string
  options: Partial<HeadOptions>
  old?: boolean
  reference?: boolean
  sign?: 1 | -1
  clips?: boolean
}

const defaults: HeadOptions = {
  temperature: 1,
  clipLow: 0.2,
  clipHigh: 0.2,
  entropyCoefficient: 0,
  klCoefficient: 0,
}

const variants: Variant[] = [
  { name: 'clipped tokens', options: {}, old: true, clips: true },
  { name: 'negative advantages', options: { clipHigh: 0.28 }, old: true, sign: -1, clips: true },
  { name: 'positive advantages', options: {}, old: true, sign: 1, clips: true },
  { name: 'temperature 0.6', options: { temperature: 0.6 }, old: true },
  { name: 'temperature 1.7', options: { temperature: 1.7 }, old: true },
  { name: 'entropy', options: { entropyCoefficient: 0.3 }, old: true },
  { name: 'KL', options: { klCoefficient: 0.4 }, old: true, reference: true },
  {
    name: 'all together',
    options: { temperature: 0.8, clipLow: 0.1, clipHigh: 0.3, entropyCoefficient: 0.05, klCoefficient: 0.2 },
    old: true,
    reference: true,
    clips: true,
  },
]

function randomCase(random: Random, variant: Variant): { input: Input; options: HeadOptions } {
  const options = { ...defaults, ...variant.options }
  const N = 3 + random.integer(10)
  const V = 2 + random.integer(12)
  const H = 1 + random.integer(6)
  const advantages = random.fill(new Float64Array(N), 1)
  const { sign } = variant
  const input: Input = {
    hidden: random.fill(new Float64Array(N * H), 1),
    weight: random.fill(new Float64Array(V * H), 1),
    hiddenSize: H,
    targets: random.integers(N, V),
    advantages: sign ? advantages.map((a) => sign * Math.abs(a)) : advantages,
  }
  const { logprobs } = headReference(input, options)
  const near = () => logprobs.map((logprob) => farFromKinks(logprob, logprob + 0.4 * random.normal(), options))
  if (variant.old) input.oldLogprobs = near()
  if (variant.reference) input.referenceLogprobs = logprobs.map((logprob) => logprob + 0.4 * random.normal())
  return { input, options }
}

/** Finite differences mean nothing across the kinks of the clip: keeps the ratio 1e-3 away from them. */
function farFromKinks(logprob: number, old: number, options: HeadOptions): number {
  const ratio = Math.exp(logprob - old)
  const near = Math.abs(ratio - 1 - options.clipHigh) < 1e-3 || Math.abs(ratio - 1 + options.clipLow) < 1e-3
  return near ? old + 0.01 : old
}

/** Central differences of fourth order: their own error is far below the rounding of the loss. */
function finiteDifferences(input: Input, options: HeadOptions, values: Float64Array): Float64Array {
  const step = 1e-4
  const at = (i: number, change: number) => {
    const kept = values[i]!
    values[i] = kept + change
    const { loss } = headReference(input, options)
    values[i] = kept
    return loss
  }
  return Float64Array.from(
    values,
    (_, i) => (8 * (at(i, step) - at(i, -step)) - (at(i, 2 * step) - at(i, -2 * step))) / (12 * step),
  )
}

for (const [index, variant] of variants.entries()) {
  test(`the twin's gradients equal central finite differences: ${variant.name}`, (t) => {
    const random = new Random(100 + index)
    let clipped = 0
    let tokens = 0
    for (let repetition = 0; repetition < 12; repetition++) {
      const { input, options } = randomCase(random, variant)
      const analytic = headReference(input, options)
      clipped += analytic.clipped
      tokens += input.targets.length
      for (const [gradient, values] of [
        [analytic.hiddenGradient, input.hidden],
        [analytic.weightGradient, input.weight],
      ] as const) {
        const numeric = finiteDifferences(input, options, values)
        const error = relativeError(numeric, gradient)
        t.true(error <= 1e-6, `case ${repetition}: relative error ${error}`)
      }
    }
    if (variant.clips) t.true(clipped > 0 && clipped < tokens, `${clipped} of ${tokens} tokens clipped`)
  })
}

test('without old log-probs the gradient of the policy term is -A * d logp', (t) => {
  const random = new Random(7)
  const { input, options } = randomCase(random, { name: '', options: { temperature: 0.9 } })
  const { advantages, targets } = input
  const { hiddenGradient, loss, logprobs } = headReference(input, options)
  // The same gradient, from the plain policy-gradient objective -mean(A log p).
  const objective = () => {
    const scored = headReference(input, options).logprobs
    return -scored.reduce((sum, logprob, n) => sum + advantages[n]! * logprob, 0) / targets.length
  }
  const numeric = Float64Array.from(input.hidden, (value, i) => {
    const step = 1e-5
    input.hidden[i] = value + step
    const above = objective()
    input.hidden[i] = value - step
    const below = objective()
    input.hidden[i] = value
    return (above - below) / (2 * step)
  })
  t.true(relativeError(hiddenGradient, numeric) <= 1e-6)
  t.true(Math.abs(loss + advantages.reduce((sum, a) => sum + a, 0) / targets.length) <= 1e-12)
  // Old log-probs that equal the current ones change nothing.
  const same = headReference({ ...input, oldLogprobs: logprobs }, options)
  t.true(largestDifference(same.hiddenGradient, hiddenGradient) <= 1e-15)
})

test('the Float32Array form of the twin follows the Float64Array form to 1e-6', (t) => {
  const random = new Random(8)
  const variant: Variant = {
    name: '',
    options: { entropyCoefficient: 0.1, klCoefficient: 0.1 },
    old: true,
    reference: true,
  }
  const { input, options } = randomCase(random, variant)
  const narrow: HeadInput<Float32Array> = {
    hidden: Float32Array.from(input.hidden),
    weight: Float32Array.from(input.weight),
    hiddenSize: input.hiddenSize,
    targets: input.targets,
    advantages: Float32Array.from(input.advantages),
    oldLogprobs: Float32Array.from(input.oldLogprobs!),
    referenceLogprobs: Float32Array.from(input.referenceLogprobs!),
  }
  const wide = headReference(input, options)
  const single = headReference(narrow, options)
  t.true(single.hiddenGradient instanceof Float32Array)
  for (const name of ['logprobs', 'entropy', 'hiddenGradient', 'weightGradient'] as const) {
    t.true(relativeError(single[name], wide[name]) <= 1e-6, name)
  }
})
