import test, { type ExecutionContext } from 'ava'
import { type Completion, Policy } from '../../src/index.ts'
import { config } from './tiny.ts'

async function policyOf(t: ExecutionContext): Promise<Policy> {
  const policy = await Policy.create(config(), { seed: 1 })
  t.teardown(() => policy.dispose())
  return policy
}

const prompts = [5, 1, 3].map((n, index) => ({ promptTokenIds: Int32Array.of(5, 6, 7 + index), n }))

test('each group comes once, whole, before the call resolves', async (t) => {
  const policy = await policyOf(t)
  const groups = new Map<number, Completion[]>()
  let resolved = false
  const results = await policy.generate(prompts, {
    ...{ maxNewTokens: 12, seed: 3, stopTokenIds: Array.from({ length: 30 }, (_, index) => index), maxBatchSize: 4 },
    onGroup: ({ prompt, completions }) => {
      t.false(resolved)
      t.false(groups.has(prompt))
      groups.set(prompt, completions)
    },
  })
  resolved = true
  t.deepEqual([...groups.keys()].sort(), [0, 1, 2])
  for (const [prompt, completions] of groups) t.deepEqual(completions, results[prompt]!.completions)
})

test('a group comes while others are still sampled', async (t) => {
  const policy = await policyOf(t)
  const stop = new AbortController()
  const seen: number[] = []
  // Two places: the first prompt is done long before the last of the second begins.
  const two = [
    { promptTokenIds: Int32Array.of(1, 2), n: 1 },
    { promptTokenIds: Int32Array.of(3, 4), n: 400 },
  ]
  await t.throwsAsync(
    policy.generate(two, {
      ...{ maxNewTokens: 50, seed: 1, maxBatchSize: 2, signal: stop.signal },
      onGroup: ({ prompt }) => {
        seen.push(prompt)
        stop.abort(new Error('seen'))
      },
    }),
    { message: 'seen' },
  )
  t.deepEqual(seen, [0])
})

test('what onGroup throws stops the call and is its rejection', async (t) => {
  const policy = await policyOf(t)
  let calls = 0
  const onGroup = () => {
    calls++
    throw new RangeError('enough')
  }
  const many = Array.from({ length: 50 }, (_, index) => ({ promptTokenIds: Int32Array.of(index + 1), n: 2 }))
  await t.throwsAsync(policy.generate(many, { maxNewTokens: 40, maxBatchSize: 2, onGroup }), {
    instanceOf: RangeError,
    message: 'enough',
  })
  t.is(calls, 1)
  t.is((await policy.generate(many, { maxNewTokens: 1 })).length, 50, 'the policy goes on working')
})

test('onGroup must be a function', async (t) => {
  const policy = await policyOf(t)
  await t.throwsAsync(policy.generate(prompts, { maxNewTokens: 1, onGroup: 1 as never }), {
    message: /onGroup.*a function/,
  })
})
