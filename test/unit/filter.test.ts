import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Prompt } from '../../src/data/prompt.ts'
import { countedRow, isWithin } from '../../src/filter/difficulty.ts'
import { FilterProgress } from '../../src/filter/filter-progress.ts'
import { countPasses, type PassCount } from '../../src/filter/pass-counts.ts'
import { LocalEngine } from '../../src/rollout/local-engine.ts'
import { fakePolicy } from './fixtures.ts'

const prompts: Prompt[] = Array.from({ length: 10 }, (_, i) => ({
  ...{ id: `p${i}`, messages: [], tokenIds: Int32Array.of(i), answer: i, source: 'test', extra: {} },
}))
const sampling = { samples: 4, maxResponseLength: 3, temperature: 1, topP: 1, topK: 0, maxBatchSize: 6 }

/** Each response is one token, the lowest two bits of its seed; every third is truncated. */
function engine(calls: number[] = []) {
  const policy = fakePolicy(({ seeds }) =>
    Array.from(seeds!, (seed, at) => ({
      ...{ tokenIds: Int32Array.of(Number(seed & 3n)), logprobs: Float32Array.of(0), entropy: Float32Array.of(0) },
      finishReason: at % 3 === 2 ? 'length' : 'stop',
    })),
  )
  return new LocalEngine(
    {
      generate: (requests, options) => {
        calls.push(requests.length)
        return policy.generate(requests, options)
      },
    },
    { decode: (ids) => String(ids[0]), stopTokenIds: [] },
  )
}
const verifier = {
  verify: async ({ response }: { response: string }) => ({ reward: 1, correct: response === '3' }),
}

async function count(counted: string[] = [], calls: number[] = []): Promise<PassCount[][]> {
  const found: PassCount[][] = []
  const onCounts = async (counts: PassCount[]) => void found.push(counts)
  await countPasses(engine(calls), verifier, prompts, { sampling, seed: 5, counted: new Set(counted), onCounts })
  return found
}

async function path(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'magic-filter-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'out.jsonl.counts.jsonl')
}

test('every prompt is counted once, some at a time, and a count that goes on finds the same', async (t) => {
  const whole = await count()
  t.deepEqual(
    whole.map(({ length }) => length),
    [3, 3, 3, 1],
  )
  const counts = whole.flat()
  t.deepEqual(
    counts.map(({ id }) => id),
    prompts.map(({ id }) => id),
  )
  t.true(new Set(counts.map(({ correct }) => correct)).size > 1, 'the responses differ from prompt to prompt')
  for (const { samples, truncated, tokens } of counts) t.deepEqual([samples, truncated, tokens], [4, 1, 4])
  const calls: number[] = []
  t.deepEqual((await count(['p0', 'p1', 'p2', 'p4', 'p9'], calls)).flat(), counts.slice(3, 9))
  t.deepEqual(calls, [3, 3], 'what is counted is not sampled again')
})

test('what was sampled before an interruption is counted', async (t) => {
  const interrupt = new AbortController()
  const found: PassCount[] = []
  const slow = engine()
  const rollout = slow.rollout.bind(slow)
  let calls = 0
  slow.rollout = async (...args) => {
    if (++calls === 3) {
      interrupt.abort()
      interrupt.signal.throwIfAborted()
    }
    return rollout(...args)
  }
  const onCounts = async (counts: PassCount[]) => void found.push(...counts)
  const options = { sampling, seed: 5, counted: new Set<string>(), onCounts, signal: interrupt.signal }
  await t.throwsAsync(countPasses(slow, verifier, prompts, options), { any: true, name: 'AbortError' })
  t.is(found.length, 6)
})

test('the counts survive a kill in the middle of a line, and other settings are refused', async (t) => {
  const file = await path(t)
  const settings = { model: '/m', samples: 4, suffix: null }
  const counts = (await count()).flat()
  const progress = await FilterProgress.open(file, settings)
  await progress.append(counts.slice(0, 3))
  await appendFile(file, JSON.stringify(counts[3]).slice(0, 20))

  const resumed = await FilterProgress.open(file, settings)
  t.deepEqual([...resumed.counts.values()], counts.slice(0, 3))
  await resumed.append(counts.slice(2, 5))
  t.deepEqual([...(await FilterProgress.open(file, settings)).counts.values()], counts.slice(0, 5))
  t.is((await readFile(file, 'utf8')).split('\n').length, 7)
  await t.throwsAsync(FilterProgress.open(file, { ...settings, samples: 8 }), {
    message: /^'samples': 8, but .*counts.jsonl was begun with 4; give the same, or remove that file/,
  })
})

test('bounds are inclusive; without them all but the never and the always solved are kept', (t) => {
  const kept = (bounds: { minRate?: number; maxRate?: number }) =>
    [0, 1, 2, 3, 4, 5].filter((correct) =>
      isWithin({ ...{ id: '', samples: 5, truncated: 0, tokens: 0 }, correct }, bounds),
    )
  t.deepEqual(kept({}), [1, 2, 3, 4])
  t.deepEqual(kept({ minRate: 0.2, maxRate: 0.6 }), [1, 2, 3])
  t.deepEqual(kept({ minRate: 0.5 }), [3, 4])
  t.deepEqual(kept({ minRate: 0, maxRate: 1 }), [0, 1, 2, 3, 4, 5])
})

test('a row stays as it was, with its counts', (t) => {
  const row = { prompt: 'a', extra_info: { index: 1 }, pass_rate: 0.9 }
  t.deepEqual(countedRow(row, { id: 'x', samples: 8, correct: 2, truncated: 1, tokens: 80 }), {
    ...{ prompt: 'a', extra_info: { index: 1 } },
    ...{ pass_rate: 0.25, pass_count: 2, rollout_count: 8, truncated_count: 1 },
  })
})
