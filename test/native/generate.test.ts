import test from 'ava'
import { Policy } from '../../src/index.ts'
import { largestDifference, relativeError } from '../reference/compare.ts'
import { architectures, loadGolden, packSequences, sequencesOf } from '../reference/golden.ts'
import { Random } from '../reference/random.ts'
import { chiSquare, chiSquareCritical, keepOnly, softmax, topKSet, topPSet } from '../reference/statistics.ts'

const golden = Object.fromEntries(architectures.map((name) => [name, loadGolden(name)]))

const load = (name: (typeof architectures)[number] = 'qwen2-tied') =>
  Policy.load(golden[name]!.dir, { device: 'cpu', dtype: 'float32' })

type Results = Awaited<ReturnType<Policy['generate']>>

/** Prompts of 1 to 30 tokens with different numbers of completions. */
function prompts(vocabSize: number, n = 3) {
  const random = new Random(31)
  return [1, 2, 7, 30, 13, 5].map((length, i) => ({
    promptTokenIds: random.integers(length, vocabSize),
    n: 1 + ((n + i) % 4),
  }))
}

/** Every completion in order, with its prompt. */
function flat(results: Results, given: ReturnType<typeof prompts>) {
  return results.flatMap(({ completions }, i) =>
    completions.map((completion) => ({ ...completion, prompt: given[i]!.promptTokenIds })),
  )
}

async function rescored(policy: Policy, results: Results, given: ReturnType<typeof prompts>, temperature: number) {
  const all = flat(results, given)
  const batch = packSequences(
    all.map(({ prompt, tokenIds }) => [...prompt, ...tokenIds]),
    all.map(({ prompt }) => prompt.length),
    all.map(() => 0),
  )
  return {
    scores: await policy.score(sequencesOf(batch), { temperature }),
    logprobs: all.flatMap(({ logprobs }) => Array.from(logprobs)),
    entropy: all.flatMap(({ entropy }) => Array.from(entropy)),
  }
}

for (const name of architectures) {
  test(`${name}: log-probs and entropies of sampled tokens equal those of score`, async (t) => {
    using policy = await load(name)
    const given = prompts(golden[name]!.vocabSize)
    for (const [temperature, filter] of [
      [1, {}],
      [0.6, { topP: 0.8 }],
      [1.5, { topK: 20 }],
    ] as const) {
      const results = await policy.generate(given, {
        maxNewTokens: 25,
        temperature,
        seed: 3,
        stopTokenIds: [],
        ...filter,
      })
      const { scores, logprobs, entropy } = await rescored(policy, results, given, temperature)
      t.is(logprobs.length, 25 * given.reduce((sum, { n }) => sum + n, 0))
      t.true(relativeError(logprobs, scores.logprobs) <= 1e-4)
      t.true(relativeError(entropy, scores.entropy) <= 1e-4)
      t.true(largestDifference(logprobs, scores.logprobs) <= 1e-4 * 10)
    }
  })

  test(`${name}: the batch size changes neither tokens nor log-probs`, async (t) => {
    using policy = await load(name)
    const given = prompts(golden[name]!.vocabSize)
    const options = { maxNewTokens: 24, temperature: 1, seed: 11, stopTokenIds: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] }
    const expected = flat(await policy.generate(given, { ...options, maxBatchSize: 64 }), given)
    // Some stop early, so that rows leave the batch and others take their place.
    t.true(expected.some(({ finishReason }) => finishReason === 'stop'))
    t.true(expected.some(({ finishReason }) => finishReason === 'length'))
    for (const maxBatchSize of [1, 2, 5]) {
      const actual = flat(await policy.generate(given, { ...options, maxBatchSize }), given)
      for (const [i, completion] of actual.entries()) {
        t.deepEqual(Array.from(completion.tokenIds), Array.from(expected[i]!.tokenIds))
        t.is(completion.finishReason, expected[i]!.finishReason)
        t.true(largestDifference(completion.logprobs, expected[i]!.logprobs) <= 1e-5)
        t.true(largestDifference(completion.entropy, expected[i]!.entropy) <= 1e-5)
      }
    }
  })
}

test('a sample depends on its own seed alone: not on what else is in the call', async (t) => {
  using policy = await load()
  const given = prompts(golden['qwen2-tied']!.vocabSize)
  const options = { maxNewTokens: 16, temperature: 1, seed: 5, stopTokenIds: [] }
  const together = await policy.generate(given, options)
  // The first prompt alone is still prompt 0 of the call, and its first samples are still samples 0, 1, ...
  const alone = await policy.generate([{ ...given[0]!, n: given[0]!.n + 2 }], options)
  for (const [j, completion] of together[0]!.completions.entries()) {
    t.deepEqual(completion.tokenIds, alone[0]!.completions[j]!.tokenIds)
  }
})

test('a sample with a seed of its own does not depend on the order of the prompts', async (t) => {
  using policy = await load()
  const given = prompts(golden['qwen2-tied']!.vocabSize).map((prompt, i) => ({
    ...prompt,
    seeds: BigUint64Array.from({ length: prompt.n }, (_, j) => 2n ** 63n + BigInt(100 * i + j)),
  }))
  const options = { maxNewTokens: 16, temperature: 1, stopTokenIds: [], maxBatchSize: 4 }
  const forward = await policy.generate(given, options)
  const backward = await policy.generate(given.toReversed(), options)
  const tokens = (results: Results) =>
    results.map(({ completions }) => completions.map(({ tokenIds }) => Array.from(tokenIds)))
  t.deepEqual(tokens(backward).toReversed(), tokens(forward))
})

test('the same seed repeats, another seed and another sample differ', async (t) => {
  using policy = await load()
  const given = [{ promptTokenIds: Int32Array.of(5, 6, 7), n: 4 }]
  const options = { maxNewTokens: 16, temperature: 1, stopTokenIds: [] }
  const draw = async (seed: number) =>
    (await policy.generate(given, { ...options, seed }))[0]!.completions.map(({ tokenIds }) => tokenIds.join(' '))
  const first = await draw(1)
  t.deepEqual(await draw(1), first)
  t.is(new Set([...first, ...(await draw(2))]).size, 8)
})

const samples = 20000

async function firstTokens(policy: Policy, prompt: Int32Array, options: object): Promise<number[]> {
  const [result] = await policy.generate([{ promptTokenIds: prompt, n: samples }], {
    maxNewTokens: 1,
    stopTokenIds: [],
    seed: 99,
    temperature: 1,
    ...options,
  })
  return result!.completions.map(({ tokenIds }) => tokenIds[0]!)
}

const prompt = Int32Array.of(17, 200, 3, 41)

for (const temperature of [1, 0.5, 2]) {
  test(`samples follow the softmax at temperature ${temperature} (chi-square, 1 in 1000)`, async (t) => {
    using policy = await load()
    const probabilities = softmax(await policy.logits(prompt), temperature)
    const { statistic, freedom } = chiSquare(await firstTokens(policy, prompt, { temperature }), probabilities)
    t.true(freedom > 20)
    t.true(statistic < chiSquareCritical(freedom), `${statistic} at ${freedom} degrees of freedom`)
  })
}

test('the chi-square test notices a distribution that is off by a little', async (t) => {
  using policy = await load()
  const probabilities = softmax(await policy.logits(prompt), 1.1)
  const { statistic, freedom } = chiSquare(await firstTokens(policy, prompt, {}), probabilities)
  t.true(statistic > chiSquareCritical(freedom))
})

test('consecutive tokens of one sample are independent of each other and of the other samples', async (t) => {
  using policy = await load()
  const results = await policy.generate([{ promptTokenIds: prompt, n: samples }], {
    maxNewTokens: 2,
    temperature: 1,
    seed: 7,
    stopTokenIds: [],
  })
  // Where the first token was the most probable one, the second follows the distribution after it.
  const first = topKSet(softmax(await policy.logits(prompt)), 1)
    .values()
    .next().value!
  const second = results[0]!.completions
    .filter(({ tokenIds }) => tokenIds[0] === first)
    .map(({ tokenIds }) => tokenIds[1]!)
  const probabilities = softmax(await policy.logits(Int32Array.of(...prompt, first)))
  const { statistic, freedom } = chiSquare(second, probabilities)
  t.true(second.length > 500)
  t.true(statistic < chiSquareCritical(freedom), `${statistic} at ${freedom} degrees of freedom`)
})

for (const topK of [1, 5, 331, 1000]) {
  test(`top-k ${topK} keeps the ${topK} most probable tokens, in proportion`, async (t) => {
    using policy = await load()
    const probabilities = softmax(await policy.logits(prompt))
    const kept = topKSet(probabilities, topK)
    const tokens = await firstTokens(policy, prompt, { topK })
    t.true(tokens.every((token) => kept.has(token)))
    if (topK === 1) return
    const { statistic, freedom } = chiSquare(tokens, keepOnly(probabilities, kept))
    t.true(statistic < chiSquareCritical(freedom), `${statistic} at ${freedom} degrees of freedom`)
  })
}

for (const [topP, temperature] of [
  [1e-6, 1],
  [0.3, 1],
  [0.9, 1],
  [0.7, 0.5],
] as const) {
  test(`top-p ${topP} at temperature ${temperature} keeps the smallest set that reaches it, in proportion`, async (t) => {
    using policy = await load()
    const probabilities = softmax(await policy.logits(prompt), temperature)
    const kept = topPSet(probabilities, topP)
    const tokens = await firstTokens(policy, prompt, { topP, temperature })
    t.true(tokens.every((token) => kept.has(token)))
    if (kept.size === 1) return
    const { statistic, freedom } = chiSquare(tokens, keepOnly(probabilities, kept))
    t.true(statistic < chiSquareCritical(freedom), `${statistic} at ${freedom} degrees of freedom`)
  })
}

test('top-k and top-p together: top-p among what top-k keeps', async (t) => {
  using policy = await load()
  const probabilities = softmax(await policy.logits(prompt))
  const largest = keepOnly(probabilities, topKSet(probabilities, 40))
  const kept = topPSet(largest, 0.5)
  t.true(kept.size > 1 && kept.size < 40)
  const tokens = await firstTokens(policy, prompt, { topK: 40, topP: 0.5 })
  const { statistic, freedom } = chiSquare(tokens, keepOnly(probabilities, kept))
  t.true(statistic < chiSquareCritical(freedom), `${statistic} at ${freedom} degrees of freedom`)
})

test('a stop token ends the completion and belongs to it, in the last slot too', async (t) => {
  using policy = await load()
  const given = [{ promptTokenIds: prompt, n: 1 }]
  const options = { temperature: 1, seed: 21 }
  const draw = async (maxNewTokens: number, stopTokenIds: number[]) =>
    (await policy.generate(given, { ...options, maxNewTokens, stopTokenIds }))[0]!.completions[0]!
  const free = await draw(12, [])
  t.is(free.finishReason, 'length')
  t.is(free.tokenIds.length, 12)
  const stop = free.tokenIds[7]!
  const at = free.tokenIds.indexOf(stop)
  for (const maxNewTokens of [12, at + 1]) {
    const stopped = await draw(maxNewTokens, [stop])
    t.is(stopped.finishReason, 'stop')
    t.deepEqual(stopped.tokenIds, free.tokenIds.slice(0, at + 1))
    t.is(stopped.logprobs.length, at + 1)
    t.is(stopped.entropy.length, at + 1)
  }
  const cut = await draw(at, [stop])
  t.is(cut.finishReason, 'length')
  t.deepEqual(cut.tokenIds, free.tokenIds.slice(0, at))
})

test('one new token after a prompt of one token', async (t) => {
  using policy = await load()
  const given = [{ promptTokenIds: Int32Array.of(3), n: 5 }]
  const results = await policy.generate(given, { maxNewTokens: 1, temperature: 1, seed: 1, stopTokenIds: [] })
  t.is(results[0]!.completions.length, 5)
  for (const { tokenIds, logprobs, entropy, finishReason } of results[0]!.completions) {
    t.deepEqual([tokenIds.length, logprobs.length, entropy.length, finishReason], [1, 1, 1, 'length'])
  }
  const { scores, logprobs } = await rescored(policy, results, given, 1)
  t.true(largestDifference(logprobs, scores.logprobs) <= 1e-4)
})

test('greedy log-probs are those of temperature 1', async (t) => {
  using policy = await load()
  const given = prompts(golden['qwen2-tied']!.vocabSize)
  const results = await policy.generate(given, { maxNewTokens: 8, temperature: 0, stopTokenIds: [] })
  const { scores, logprobs, entropy } = await rescored(policy, results, given, 1)
  t.true(largestDifference(logprobs, scores.logprobs) <= 1e-4)
  t.true(largestDifference(entropy, scores.entropy) <= 1e-4)
})
