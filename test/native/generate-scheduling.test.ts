import test, { type ExecutionContext } from 'ava'
import { type GenerateOptions, type GeneratePrompt, Policy } from '../../src/index.ts'
import type { NativeGenerateStats } from '../../src/native/generation-contract.ts'
import { modelShape } from '../../src/policy/model-config.ts'
import { BLOCK_SLOTS, cacheBytes } from '../../src/rollout/kv-cache.ts'
import { config } from './tiny.ts'

async function policyOf(t: ExecutionContext): Promise<Policy> {
  const policy = await Policy.create(config(), { seed: 1 })
  t.teardown(() => policy.dispose())
  return policy
}

const tokens = (length: number, salt = 0) => Int32Array.from({ length }, (_, i) => ((i * 31 + salt * 7) % 300) + 1)

async function generated(policy: Policy, prompts: GeneratePrompt[], options: Partial<GenerateOptions>) {
  let stats: NativeGenerateStats | undefined
  const results = await policy.generate(prompts, {
    ...{ maxNewTokens: 40, seed: 3n, onStats: (counted) => (stats = counted) },
    ...options,
  })
  return { completions: results.flatMap(({ completions }) => completions), stats: stats! }
}

type Outcome = Awaited<ReturnType<typeof generated>>

/** The same tokens, and log-probs that differ by rounding alone. */
function same(t: ExecutionContext, actual: Outcome, expected: Outcome): void {
  t.is(actual.completions.length, expected.completions.length)
  for (const [i, { tokenIds, logprobs }] of expected.completions.entries()) {
    t.deepEqual(actual.completions[i]!.tokenIds, tokenIds)
    for (const [at, logprob] of logprobs.entries())
      t.true(Math.abs(actual.completions[i]!.logprobs[at]! - logprob) <= 1e-5, `completion ${i}, token ${at}`)
  }
}

/** Keys and values in so many blocks. */
const bytesOf = (blocks: number) => cacheBytes(modelShape(config()), 'float32', blocks * BLOCK_SLOTS)

const prompts = Array.from({ length: 4 }, (_, salt) => ({ promptTokenIds: tokens(20 + salt, salt), n: 3 }))

test('sequences that are preempted for want of memory get the same tokens and log-probs', async (t) => {
  const policy = await policyOf(t)
  const free = await generated(policy, prompts, {})
  const blocks = 10
  const bound = await generated(policy, prompts, { kvCacheBytes: bytesOf(blocks) })
  same(t, bound, free)
  t.is(free.stats.preemptions, 0)
  t.true(bound.stats.preemptions > 0)
  t.true(bound.stats.peakCacheTokens <= blocks * 16, `${bound.stats.peakCacheTokens}`)
  t.true(free.stats.peakCacheTokens > blocks * 16)
})

test('the least memory is that of one sequence, and less is an error that names it', async (t) => {
  const policy = await policyOf(t)
  // 23 tokens of the longest prompt and 39 new ones
  const least = bytesOf(4)
  same(t, await generated(policy, prompts, { kvCacheBytes: least }), await generated(policy, prompts, {}))
  await t.throwsAsync(generated(policy, prompts, { kvCacheBytes: least - 1 }), {
    code: 'INVALID_ARGUMENT',
    message: new RegExp(`^kvCacheBytes is ${least - 1}: a prompt of 23 tokens with 40 new ones takes ${least};`),
  })
})

test('a prompt that is computed in pieces, beside sequences that go on, is scored the same', async (t) => {
  const policy = await policyOf(t)
  const many = [
    { promptTokenIds: tokens(3), n: 2 },
    { promptTokenIds: tokens(1300, 5), n: 2 },
  ]
  const { completions } = await generated(policy, many, {})
  for (const [i, { tokenIds, logprobs }] of completions.entries()) {
    const { promptTokenIds } = many[Math.floor(i / 2)]!
    const sequence = Int32Array.of(...promptTokenIds, ...tokenIds)
    const scores = await policy.score({
      ...{ tokenIds: sequence, offsets: Int32Array.of(0, sequence.length) },
      promptLengths: Int32Array.of(promptTokenIds.length),
    })
    for (const [at, logprob] of logprobs.entries())
      t.true(Math.abs(logprob - scores.logprobs[at]!) <= 1e-4, `completion ${i}, token ${at}`)
  }
})

test('equal beginnings are computed once: of samples of a prompt, and of prompts', async (t) => {
  const policy = await policyOf(t)
  const beginning = tokens(40)
  const pair = [9, 10].map((last) => ({ promptTokenIds: Int32Array.of(...beginning, last), n: 2 }))
  const together = await generated(policy, pair, {})
  // The first prompt as a whole, its second sample nothing; of the other prompt what follows two whole blocks.
  t.like(together.stats, { computedPromptTokens: 41 + 9, sharedPromptTokens: 41 + 32 + 41 })
  const alone = await generated(policy, [{ promptTokenIds: tokens(7, 1), n: 1 }, pair[1]!], {})
  same(
    t,
    { ...together, completions: together.completions.slice(2) },
    { ...alone, completions: alone.completions.slice(1) },
  )
})

test('samples with limits of their own end there and are else the same', async (t) => {
  const policy = await policyOf(t)
  const given = [
    { promptTokenIds: Int32Array.of(5, 6, 7), n: 3 },
    { promptTokenIds: Int32Array.of(8, 9), n: 2 },
  ]
  const options = { maxNewTokens: 12, temperature: 1, seed: 5, stopTokenIds: [] }
  const whole = await policy.generate(given, options)
  const limits = [Int32Array.of(1, 12, 5), undefined]
  const limited = await policy.generate(
    given.map((prompt, i) => ({ ...prompt, maxNewTokens: limits[i] })),
    options,
  )
  for (const [i, { completions }] of limited.entries()) {
    for (const [j, { tokenIds, finishReason }] of completions.entries()) {
      t.deepEqual(tokenIds, whole[i]!.completions[j]!.tokenIds.subarray(0, limits[i]?.[j] ?? 12))
      t.is(finishReason, 'length')
    }
  }
  for (const limit of [0, 13]) {
    const bad = [{ ...given[1]!, maxNewTokens: Int32Array.of(3, limit) }]
    await t.throwsAsync(policy.generate(bad, options), { message: new RegExp(`maxNewTokens has ${limit}`) })
  }
  await t.throwsAsync(policy.generate([{ ...given[1]!, maxNewTokens: Int32Array.of(3) }], options), {
    message: /prompts\[0\]\.maxNewTokens must be an Int32Array of n = 2/,
  })
})

for (const dtype of ['float32', 'bfloat16'] as const) {
  test(`${dtype}: samples that read a beginning together get what each of them gets alone`, async (t) => {
    const policy = await Policy.create(config(), { seed: 1, dtype })
    t.teardown(() => policy.dispose())
    const seeds = BigUint64Array.of(1n, 2n, 3n, 4n, 5n)
    // A tree: 40 tokens of both prompts, then each one's own, then each sample's.
    const pair = [30, 55].map((rest, salt) => Int32Array.of(...tokens(40), ...tokens(rest, salt + 1)))
    const prompts = pair.map((promptTokenIds) => ({ promptTokenIds, n: 5, seeds }))
    const together = (await generated(policy, prompts, {})).completions
    for (const [i, promptTokenIds] of pair.entries()) {
      for (const [j, seed] of seeds.entries()) {
        const [alone] = (await generated(policy, [{ promptTokenIds, n: 1, seeds: BigUint64Array.of(seed) }], {}))
          .completions
        const { tokenIds, logprobs } = together[5 * i + j]!
        t.deepEqual(tokenIds, alone!.tokenIds)
        const bound = dtype === 'float32' ? 1e-6 : 0.01
        const apart = logprobs.map((logprob, at) => Math.abs(logprob - alone!.logprobs[at]!) / Math.max(1, -logprob))
        t.true(Math.max(...apart) <= bound, `${Math.max(...apart)}`)
      }
    }
  })
}

test('options of the cache', async (t) => {
  const policy = await policyOf(t)
  same(t, await generated(policy, prompts, { kvCacheBytes: 2 ** 40 }), await generated(policy, prompts, {}))
  await t.throwsAsync(generated(policy, prompts, { kvCacheBytes: -1 }), { message: /kvCacheBytes/ })
  await t.throwsAsync(generated(policy, prompts, { onStats: 5 as never }), { message: /onStats/ })
})
