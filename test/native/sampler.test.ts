// A vocabulary of several of the sampler's blocks, the last one not full.
import test, { type ExecutionContext } from 'ava'
import { type GenerateOptions, Policy } from '../../src/index.ts'
import { chiSquare, chiSquareCritical, keepOnly, ranked, softmax, topKSet, topPSet } from '../reference/statistics.ts'
import { config } from './tiny.ts'

const vocab = 3001
const prompt = Int32Array.of(17, 200, 3, 41)

async function policyOf(t: ExecutionContext): Promise<Policy> {
  const policy = await Policy.create({ ...config({ vocab }), tie_word_embeddings: false }, { seed: 1 })
  t.teardown(() => policy.dispose())
  return policy
}

async function firstTokens(policy: Policy, n: number, options: Partial<GenerateOptions>) {
  const [result] = await policy.generate([{ promptTokenIds: prompt, n }], {
    ...{ maxNewTokens: 1, stopTokenIds: [], seed: 99 },
    ...options,
  })
  return result!.completions.map(({ tokenIds, logprobs, entropy }) => ({
    token: tokenIds[0]!,
    logprob: logprobs[0]!,
    entropy: entropy[0]!,
  }))
}

// Low temperatures, so that the blocks' shares differ.
for (const temperature of [0.02, 0.1, 1]) {
  test(`temperature ${temperature}: tokens follow the softmax (chi-square, 1 in 1000), log-probs and entropies are its`, async (t) => {
    const policy = await policyOf(t)
    const probabilities = softmax(await policy.logits(prompt), temperature)
    const entropy = -probabilities.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0)
    const drawn = await firstTokens(policy, 20_000, { temperature })
    for (const sample of drawn) {
      const logprob = Math.log(probabilities[sample.token]!)
      if (Math.abs(sample.logprob - logprob) > 1e-6 * Math.max(1, -logprob / temperature))
        t.fail(`log-prob ${sample.logprob}, not ${logprob}`)
    }
    t.true(Math.abs(drawn[0]!.entropy - entropy) <= 1e-6 * Math.max(1, entropy / temperature))
    const tokens = drawn.map(({ token }) => token)
    const { statistic, freedom } = chiSquare(tokens, probabilities)
    t.true(freedom > 20)
    t.true(statistic < chiSquareCritical(freedom), `${statistic} at ${freedom} degrees of freedom`)
  })
}

const filters = [{ topK: 1 }, { topK: 7 }, { topK: 1500 }, { topP: 0.3 }, { topP: 0.9 }, { topK: 2000, topP: 0.5 }]
for (const [topK, topP] of filters.map(({ topK = 0, topP = 1 }: { topK?: number; topP?: number }) => [topK, topP])) {
  test(`top-k ${topK}, top-p ${topP}: what they keep, in proportion`, async (t) => {
    const policy = await policyOf(t)
    const temperature = 0.05
    let expected = softmax(await policy.logits(prompt), temperature)
    if (topK! > 0) expected = keepOnly(expected, topKSet(expected, topK!))
    expected = keepOnly(expected, topPSet(expected, topP!))
    const drawn = await firstTokens(policy, 6000, { temperature, topK: topK!, topP: topP! })
    const tokens = drawn.map(({ token }) => token)
    t.true(tokens.every((token) => expected[token]! > 0))
    if (topK === 1) return
    const { statistic, freedom } = chiSquare(tokens, expected)
    t.true(statistic < chiSquareCritical(freedom), `${statistic} at ${freedom} degrees of freedom`)
  })
}

test('greedy takes the likeliest token, whichever block it is in', async (t) => {
  const policy = await policyOf(t)
  const blocks = new Set<number>()
  for (let first = 0; first < 40; first++) {
    const promptTokenIds = Int32Array.of(first * 70, 5)
    const [result] = await policy.generate([{ promptTokenIds, n: 1 }], { maxNewTokens: 1, temperature: 0 })
    const [token] = result!.completions[0]!.tokenIds
    t.is(token, ranked(softmax(await policy.logits(promptTokenIds)))[0])
    blocks.add(Math.floor(token! / 960))
  }
  t.true(blocks.size > 2)
})

test('the least temperature: logits of hundreds still give the likeliest token, log-probs and entropies near 0', async (t) => {
  using policy = await Policy.create({ ...config({ vocab }), tie_word_embeddings: false, initializer_range: 30 })
  t.true(Math.max(...(await policy.logits(prompt))) > 500)
  const greedy = await policy.generate([{ promptTokenIds: prompt, n: 1 }], { maxNewTokens: 5, temperature: 0 })
  const least = await policy.generate([{ promptTokenIds: prompt, n: 3 }], { maxNewTokens: 5, temperature: 1e-5 })
  for (const { tokenIds, logprobs, entropy } of least[0]!.completions) {
    t.deepEqual(tokenIds, greedy[0]!.completions[0]!.tokenIds)
    t.true([...logprobs, ...entropy].every((value) => Math.abs(value) <= 1e-3))
  }
})
