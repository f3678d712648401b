import test, { type ExecutionContext } from 'ava'
import { Policy } from '../../src/index.ts'
import { relativeError } from '../reference/compare.ts'
import { architectures, type Golden, loadGolden, lossOptions, packSequences, sequencesOf } from '../reference/golden.ts'
import { Random } from '../reference/random.ts'

/** How the work is divided changes only the order of float32 sums. */
const bound = 1e-5

interface Division {
  maxTokensPerMicroBatch: number
  activationCheckpointing: boolean
  sharePrompts: boolean
}

const whole: Division = { maxTokensPerMicroBatch: 8192, activationCheckpointing: false, sharePrompts: false }

type TrainingBatch = Parameters<Policy['computeGradients']>[0]
type LossOptions = ReturnType<typeof lossOptions>

async function measure(policy: Policy, batch: TrainingBatch, options: LossOptions & Division) {
  const stats = await policy.computeGradients(batch, options)
  const gradients = new Map<string, Float32Array>()
  for (const { name } of policy.parameterShapes()) gradients.set(name, await policy.gradient(name))
  return { stats, gradients }
}

type Measured = Awaited<ReturnType<typeof measure>>

function same(t: ExecutionContext, actual: Measured, expected: Measured, what: string) {
  for (const key of ['loss', 'policyLoss', 'entropy', 'entropySampled', 'kl', 'approxKl', 'gradNorm'] as const) {
    const [a, b] = [actual.stats[key], expected.stats[key]]
    t.true(Math.abs(a - b) <= bound * Math.max(1, Math.abs(b)), `${what}: ${key} ${a}, whole batch ${b}`)
  }
  for (const key of ['clipFraction', 'clipFractionLow', 'clipFractionHigh', 'tokens'] as const) {
    t.true(Math.abs(actual.stats[key] - expected.stats[key]) <= 1e-6, `${what}: ${key}`)
  }
  for (const [name, gradient] of expected.gradients) {
    const error = relativeError(actual.gradients.get(name)!, gradient)
    t.true(error <= bound, `${what}: gradient of ${name} is off by ${error}`)
  }
}

/**
 * Groups that share a prompt, prompts of one token and more, responses of none to 23 tokens; in the last group nobody
 * answers anything.
 */
function groupedBatch(golden: Golden) {
  const random = new Random(17)
  const sequences: number[][] = []
  const promptLengths: number[] = []
  const draw = (length: number) => Array.from(random.integers(length, golden.vocabSize))
  const groups: [number, number[]][] = [
    [9, [4, 0, 23, 1]],
    [1, [3, 3, 8]],
    [17, [11]],
    [6, [5, 12, 2, 7, 9]],
    [3, [0, 0]],
  ]
  let computed = 0
  for (const [promptLength, responses] of groups) {
    const prompt = draw(promptLength)
    computed += promptLength
    for (const length of responses) {
      sequences.push([...prompt, ...draw(length)])
      promptLengths.push(promptLength)
      computed += length
    }
  }
  const advantages = sequences.map(() => random.normal())
  const batch = packSequences(sequences, promptLengths, advantages)
  return { batch, sequences, promptLengths, advantages, computed }
}

/** Old and reference log-probs near those of the policy, so that some tokens clip and no ratio lies on the clip's edge. */
async function offPolicy(policy: Policy, batch: ReturnType<typeof packSequences>): Promise<TrainingBatch> {
  const random = new Random(18)
  const { logprobs } = await policy.score(sequencesOf(batch), { temperature: 0.9 })
  const shifted = () =>
    logprobs.map((logprob) => logprob + (random.uniform() < 0.5 ? 0.1 : 0.4) * Math.sign(random.normal()))
  return { ...batch, oldLogprobs: shifted(), referenceLogprobs: shifted() }
}

const options: LossOptions = {
  temperature: 0.9,
  clipLow: 0.2,
  clipHigh: 0.28,
  entropyCoefficient: 0.02,
  klCoefficient: 0.05,
}

for (const name of architectures) {
  const golden = loadGolden(name)
  const load = () => Policy.load(golden.dir, { device: 'cpu', dtype: 'float32' })

  test(`${name}: any micro-batch budget gives the loss and gradients of the whole batch`, async (t) => {
    using policy = await load()
    const batch = { ...golden.batch, oldLogprobs: golden.oldLogprobs, referenceLogprobs: golden.referenceLogprobs }
    const settings = lossOptions(golden.expected.losses.at(-1)!)
    const expected = await measure(policy, batch, { ...settings, ...whole })
    t.is(expected.stats.microBatches, 1)
    for (const maxTokensPerMicroBatch of [16, 64, 200, 8192]) {
      const actual = await measure(policy, batch, { ...settings, ...whole, maxTokensPerMicroBatch })
      same(t, actual, expected, `${maxTokensPerMicroBatch} tokens`)
      if (maxTokensPerMicroBatch === 16) t.true(actual.stats.microBatches > 1)
    }
  })

  test(`${name}: scores do not depend on the micro-batch budget`, async (t) => {
    using policy = await load()
    const { batch } = groupedBatch(golden)
    const expected = await policy.score(sequencesOf(batch), { temperature: 0.9 })
    t.is(expected.logprobs.length, 88)
    for (const maxTokensPerMicroBatch of [1, 16, 64]) {
      const actual = await policy.score(sequencesOf(batch), { temperature: 0.9, maxTokensPerMicroBatch })
      t.true(relativeError(actual.logprobs, expected.logprobs) <= bound)
      t.true(relativeError(actual.entropy, expected.entropy) <= bound)
    }
  })

  test(`${name}: checkpointing, shared prompts and micro-batches change nothing`, async (t) => {
    using policy = await load()
    const { batch, computed } = groupedBatch(golden)
    const training = await offPolicy(policy, batch)
    const expected = await measure(policy, training, { ...options, ...whole })
    t.is(expected.stats.tokens, 88)
    t.true(expected.stats.clipFractionLow > 0 && expected.stats.clipFractionHigh > 0)
    for (const activationCheckpointing of [false, true]) {
      for (const sharePrompts of [false, true]) {
        for (const maxTokensPerMicroBatch of [16, 60, 8192]) {
          const division = { activationCheckpointing, sharePrompts, maxTokensPerMicroBatch }
          const actual = await measure(policy, training, { ...options, ...division })
          same(t, actual, expected, JSON.stringify(division))
          if (sharePrompts && maxTokensPerMicroBatch === 8192) {
            // Sequences without a response may be left out altogether.
            t.true(actual.stats.computedTokens <= computed, `${actual.stats.computedTokens} tokens computed`)
            t.true(actual.stats.computedTokens < expected.stats.computedTokens)
          }
        }
      }
    }
  })

  test(`${name}: a sequence without a response adds nothing`, async (t) => {
    using policy = await load()
    const { sequences, promptLengths, advantages } = groupedBatch(golden)
    const kept = sequences.map((_, s) => s).filter((s) => sequences[s]!.length > promptLengths[s]!)
    t.is(kept.length, sequences.length - 3)
    const pick = <T>(values: T[]) => kept.map((s) => values[s]!)
    const full = packSequences(sequences, promptLengths, advantages)
    const part = packSequences(pick(sequences), pick(promptLengths), pick(advantages))
    const settings = { ...options, ...whole, klCoefficient: 0 }
    same(t, await measure(policy, full, settings), await measure(policy, part, settings), 'without empty responses')
  })

  test(`${name}: the order of the sequences changes nothing`, async (t) => {
    using policy = await load()
    const { sequences, promptLengths, advantages } = groupedBatch(golden)
    const forward = packSequences(sequences, promptLengths, advantages)
    const backward = packSequences(sequences.toReversed(), promptLengths.toReversed(), advantages.toReversed())
    const settings = { ...options, ...whole, klCoefficient: 0, sharePrompts: true }
    same(t, await measure(policy, backward, settings), await measure(policy, forward, settings), 'reversed')
  })

  test(`${name}: gradients start from zero at every call`, async (t) => {
    using policy = await load()
    const { batch } = groupedBatch(golden)
    const settings = { ...options, ...whole, klCoefficient: 0 }
    const first = await measure(policy, batch, settings)
    same(t, await measure(policy, batch, settings), first, 'second call')
  })
}
