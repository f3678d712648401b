import test from 'ava'
import { type LossOptions, Policy } from '../../src/index.ts'
import { relativeError } from '../reference/compare.ts'
import { packSequences, sequencesOf } from '../reference/golden.ts'
import { oracleModel } from '../reference/loss-oracle.ts'
import { Random } from '../reference/random.ts'

/** How the work is divided and ordered changes only the order of float32 sums. */
const bound = 1e-5
const vocabulary = 331

/** One sequence with all that a batch can say of it; per-token values have one a response token. */
interface Sequence {
  tokens: number[]
  promptLength: number
  advantage: number
  oldLogprobs: number[]
  referenceLogprobs: number[]
  samplerLogprobs: number[]
  lossMask: number[]
}

const perToken = ['oldLogprobs', 'referenceLogprobs', 'samplerLogprobs', 'lossMask'] as const

function pack(sequences: readonly Sequence[]) {
  return {
    ...packSequences(
      sequences.map(({ tokens }) => tokens),
      sequences.map(({ promptLength }) => promptLength),
      sequences.map(({ advantage }) => advantage),
    ),
    ...(Object.fromEntries(
      perToken.map((name) => [name, Float32Array.from(sequences.flatMap((sequence) => sequence[name]))]),
    ) as Record<(typeof perToken)[number], Float32Array>),
  }
}

/** Groups of three prompts of 1 to 17 tokens; responses of none to 19 tokens, some tokens and one response masked. */
async function groups(policy: Policy): Promise<Sequence[][]> {
  const random = new Random(41)
  const shapes: [number, number[]][] = [
    [9, [4, 0, 19, 1]],
    [1, [3, 8]],
    [17, [11, 5, 2]],
  ]
  const drawn = shapes.map(([promptLength, responses]) => {
    const prompt = Array.from(random.integers(promptLength, vocabulary))
    return responses.map((length) => ({
      tokens: [...prompt, ...random.integers(length, vocabulary)],
      promptLength,
      advantage: random.normal(),
    }))
  })
  const flat = drawn.flat()
  const batch = packSequences(
    flat.map(({ tokens }) => tokens),
    flat.map(({ promptLength }) => promptLength),
    flat.map(({ advantage }) => advantage),
  )
  const { logprobs } = await policy.score(sequencesOf(batch), { temperature: 0.9 })
  const near = (values: readonly number[], scale: number) => values.map((value) => value + scale * random.normal())
  let at = 0
  return drawn.map((group, g) =>
    group.map((sequence, s) => {
      const count = sequence.tokens.length - sequence.promptLength
      const current = Array.from(logprobs.subarray(at, at + count))
      at += count
      const oldLogprobs = near(current, 0.3)
      const masked = g === 2 && s === 1
      const lossMask = current.map(() => (masked || random.uniform() < 0.2 ? 0 : 1))
      const rest = { referenceLogprobs: near(current, 0.4), samplerLogprobs: near(oldLogprobs, 0.3), lossMask }
      return { ...sequence, oldLogprobs, ...rest }
    }),
  )
}

async function measure(policy: Policy, sequences: readonly Sequence[], options: LossOptions) {
  const stats = await policy.computeGradients(pack(sequences), options)
  const names = policy.parameterShapes().map(({ name }) => name)
  const gradients = new Map<string, Float32Array>()
  for (const name of names) gradients.set(name, await policy.gradient(name))
  return { stats, gradients }
}

const everything: LossOptions = {
  ...{ temperature: 0.9, clipLow: 0.1, clipHigh: 0.28, dualClip: 1.15, importanceSamplingCap: 1.25 },
  ...{ entropyCoefficient: 0.02, klCoefficient: 0.05, lossScale: 0.6, aggregationConstant: 7 },
}

const figures = [
  ...(['loss', 'policyLoss', 'entropy', 'entropySampled', 'kl', 'approxKl', 'gradNorm', 'tokens'] as const),
  ...(['clipFractionLow', 'clipFractionHigh', 'logprobDifferenceMean', 'logprobDifferenceMax'] as const),
]

for (const ratioLevel of ['token', 'sequence'] as const)
  for (const aggregation of ['token-mean', 'sequence-mean-token-mean', 'sequence-mean-token-sum'] as const)
    test(`all loss options on, ${ratioLevel} ratio, ${aggregation}: neither division nor order changes anything`, async (t) => {
      using policy = await Policy.load(oracleModel)
      const drawn = await groups(policy)
      // The mean log-ratio of a sequence is nearer to 0 than those of its tokens.
      const tighter = ratioLevel === 'sequence' && { clipLow: 0.02, clipHigh: 0.02, dualClip: 1.03 }
      const options = { ...everything, ...tighter, ratioLevel, aggregation }
      const expected = await measure(policy, drawn.flat(), { ...options, sharePrompts: false })
      t.is(expected.stats.microBatches, 1)
      t.true(expected.stats.clipFractionLow > 0 && expected.stats.clipFractionHigh > 0 && expected.stats.kl > 0)
      const [first, second, third] = drawn as [Sequence[], Sequence[], Sequence[]]
      const orders: [string, Sequence[]][] = [
        ['as drawn', drawn.flat()],
        ['groups in another order', [third, first, second].flat()],
        ['sequences of each group in another order', drawn.flatMap((group) => group.toReversed())],
        ['groups interleaved', [0, 1, 2, 3].flatMap((s) => drawn.flatMap((group) => group.slice(s, s + 1)))],
      ]
      for (const [order, sequences] of orders)
        for (const maxTokensPerMicroBatch of [1, 30, 8192]) {
          const division = { maxTokensPerMicroBatch, activationCheckpointing: maxTokensPerMicroBatch === 30 }
          const actual = await measure(policy, sequences, { ...options, ...division })
          const what = `${order}, ${maxTokensPerMicroBatch} tokens`
          for (const name of figures) {
            const [a, b] = [actual.stats[name], expected.stats[name]]
            t.true(Math.abs(a - b) <= bound * Math.max(1, Math.abs(b)), `${what}: ${name} ${a}, not ${b}`)
          }
          for (const [name, gradient] of expected.gradients) {
            const error = relativeError(actual.gradients.get(name)!, gradient)
            t.true(error <= bound, `${what}: gradient of ${name} is off by ${error}`)
          }
        }
    })
