import test from 'ava'
import { Policy } from '../../src/index.ts'
import { largestDifference } from '../reference/compare.ts'
import { decodeRuns } from '../reference/decode-run.ts'
import { qwen3 } from '../reference/device-shape.ts'
import { packSequences } from '../reference/golden.ts'
import { Random } from '../reference/random.ts'
import { skipped } from './skipped.ts'

// The first two steps of a size are queued kernel by kernel, the others are replayed from a graph.
test('decode steps on CUDA, most of them from graphs, draw what the CPU draws', async (t) => {
  t.timeout(1_200_000)
  if (skipped(t)) return
  const [cpu, cuda] = [await decodeRuns('cpu'), await decodeRuns('cuda')]
  for (const [name, expected] of Object.entries(cpu)) {
    const actual = cuda[name]!
    t.log(`${name}: ${JSON.stringify(actual.spans)}`)
    t.deepEqual(actual.tokens, expected.tokens, name)
    for (const key of ['logprobs', 'entropies'] as const)
      for (const [i, values] of expected[key].entries())
        for (const [at, value] of values.entries())
          t.true(Math.abs(actual[key][i]![at]! - value) <= 1e-4, `${name}: ${key} ${i}, token ${at}`)
    t.deepEqual(
      Object.keys(actual.spans).filter((span) => span.startsWith('not captured')),
      [],
    )
    t.true((actual.spans.replay ?? 0) > actual.spans.decode! / 2, `${name}: ${actual.spans.replay} replays`)
  }
})

// Scores come without a cache and without graphs; in bfloat16 an activation may differ by its last bit.
for (const [dtype, bound] of [
  ['float32', 1e-4],
  ['bfloat16', 0.04],
] as const) {
  test(`${dtype}: log-probs of decode steps on CUDA are those of a score`, async (t) => {
    if (skipped(t)) return
    using policy = await Policy.create(qwen3, { device: 'cuda', dtype, seed: 5n })
    const prompts = [5, 60, 250].map((length) => Int32Array.from(new Random(length).integers(length, 331)))
    const results = await policy.generate(
      prompts.map((promptTokenIds) => ({ promptTokenIds, n: 4 })),
      { maxNewTokens: 40, seed: 3, stopTokenIds: [] },
    )
    const samples = results.flatMap(({ completions }, p) =>
      completions.map((sample) => ({ ...sample, prompt: prompts[p]! })),
    )
    const sampled = Float32Array.from(samples.flatMap(({ logprobs }) => Array.from(logprobs)))
    const batch = packSequences(
      samples.map(({ prompt, tokenIds }) => [...prompt, ...tokenIds]),
      samples.map(({ prompt }) => prompt.length),
      samples.map(() => 1),
    )
    const { logprobs } = await policy.score(batch)
    const largest = largestDifference(sampled, logprobs)
    t.true(largest <= bound, `${largest}`)
  })
}
