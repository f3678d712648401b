// What the sampler reports against what the trainer computes for the same tokens: two ways through the model.
import test from 'ava'
import { Policy } from '../../src/index.ts'
import type { NativeGenerateStats } from '../../src/native/generation-contract.ts'
import { largestDifference } from '../reference/compare.ts'
import { architectures, loadGolden, packSequences } from '../reference/golden.ts'
import { Random } from '../reference/random.ts'

const random = (seed: number, length: number, vocab: number) => Array.from(new Random(seed).integers(length, vocab))

/** Prompts, and what is true of the way that their samples come about. */
const ways: Record<
  string,
  {
    prompts: (vocab: number) => number[][]
    /** blocks of the KV cache */
    blocks?: number
    check: (stats: NativeGenerateStats) => boolean
  }
> = {
  'prompts with a common beginning': {
    prompts: (vocab) => [3, 9].map((rest) => [...random(1, 40, vocab), ...random(rest, rest, vocab)]),
    check: ({ sharedPromptTokens }) => sharedPromptTokens >= 32 + 3 * (43 + 49),
  },
  'a prompt in pieces, beside sequences that go on': {
    prompts: (vocab) => [random(2, 3, vocab), random(3, 1100, vocab)],
    check: ({ computedPromptTokens }) => computedPromptTokens === 1103,
  },
  'sequences that are preempted': {
    prompts: (vocab) => [20, 21, 22, 23].map((length) => random(length, length, vocab)),
    blocks: 10,
    check: ({ preemptions }) => preemptions > 0,
  },
}

/** Samples, and the log-probs of a training step for them. */
async function compared(policy: Policy, prompts: number[][], kvCacheBytes: number) {
  let stats: NativeGenerateStats | undefined
  const results = await policy.generate(
    prompts.map((tokens) => ({ promptTokenIds: Int32Array.from(tokens), n: 4 })),
    { maxNewTokens: 40, seed: 3, stopTokenIds: [], kvCacheBytes, onStats: (counted) => (stats = counted) },
  )
  const samples = results.flatMap(({ completions }, i) =>
    completions.map((sample) => ({ ...sample, prompt: prompts[i]! })),
  )
  const batch = packSequences(
    samples.map(({ prompt, tokenIds }) => [...prompt, ...tokenIds]),
    samples.map(({ prompt }) => prompt.length),
    samples.map((_, i) => (i % 2 === 0 ? 1 : -1)),
  )
  const samplerLogprobs = Float32Array.from(samples.flatMap(({ logprobs }) => Array.from(logprobs)))
  const { logprobDifferenceMax } = await policy.computeGradients({ ...batch, samplerLogprobs })
  const { logprobs } = await policy.score(batch)
  return { stats: stats!, max: logprobDifferenceMax, scored: largestDifference(samplerLogprobs, logprobs) }
}

/** Keys and values of one block. */
function blockBytes(policy: Policy): number {
  const { num_hidden_layers, num_key_value_heads, hidden_size, num_attention_heads, head_dim } =
    policy.config as Record<string, number>
  return 16 * 2 * num_hidden_layers! * num_key_value_heads! * (head_dim ?? hidden_size! / num_attention_heads!) * 4
}

// The order of sums is all that differs: in bfloat16 too, where every path sums in float32 and rounds in the same places.
// But there two sums may lie on both sides of a rounding boundary: an activation differs by its last bit, 0.4 %, and so
// does what follows from it.
for (const [dtype, bound] of [
  ['float32', 1e-4],
  ['bfloat16', 0.04],
] as const) {
  for (const [way, { prompts, blocks, check }] of Object.entries(ways)) {
    test(`${dtype}, ${way}: sampled and trained log-probs are at most ${bound} nats apart at any token`, async (t) => {
      for (const name of architectures) {
        const { dir, vocabSize } = loadGolden(name)
        using policy = await Policy.load(dir, { device: 'cpu', dtype })
        const kvCacheBytes = blocks ? blocks * blockBytes(policy) * (dtype === 'float32' ? 1 : 0.5) : 0
        const { stats, max, scored } = await compared(policy, prompts(vocabSize), kvCacheBytes)
        t.true(check(stats), JSON.stringify(stats))
        t.true(max <= bound, `${name}: trained ${max}`)
        t.true(scored <= bound, `${name}: scored ${scored}`)
      }
    })
  }
}
