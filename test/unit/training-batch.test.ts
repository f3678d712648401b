import test from 'ava'
import { parseRecipe } from '../../src/config/recipe.ts'
import type { RolloutGroup } from '../../src/rollout/rollout.ts'
import { resolveStages } from '../../src/stage/resolve-stages.ts'
import { learningRateAt } from '../../src/train/learning-rate.ts'
import { packBatch, trainedSequences, trainedShare, updateGroups } from '../../src/train/training-batch.ts'
import { updatePolicy, updatesPerStep } from '../../src/train/update.ts'
import { group, scores, stats } from './fixtures.ts'

test('sequences are packed one after another, those of a group side by side', (t) => {
  const first = group({ prompt: [7, 8], responses: [[1, 2], [3]], advantages: [1, -1] })
  const second = group({ prompt: [9], responses: [[4, 5, 6]], advantages: [0.5] })
  const batch = packBatch([first, second].flatMap((own) => trainedSequences(own, 'none')))
  t.deepEqual([...batch.tokenIds], [7, 8, 1, 2, 7, 8, 3, 9, 4, 5, 6])
  t.deepEqual([...batch.offsets], [0, 4, 7, 11])
  t.deepEqual([...batch.promptLengths], [2, 2, 1])
  t.deepEqual([...batch.advantages], [1, -1, 0.5])
  t.deepEqual(
    [...batch.sampledLogprobs].map((value) => Number(value.toFixed(3))),
    [-0.1, -0.2, -0.1, -0.1, -0.2, -0.3],
  )
})

test('groups are split into updates of nearly one size', (t) => {
  const groups = [1, 2, 3, 4, 5].map((token) => group({ prompt: [token], responses: [[token]], advantages: [1] }))
  const [a, b, c, d, e] = groups
  t.deepEqual(updateGroups(groups, 2), [[a, b], [c, d], [e]])
  t.deepEqual(updateGroups(groups, 4), [
    [a, b, c],
    [d, e],
  ])
  t.deepEqual(updateGroups(groups, 5), [groups])
  t.deepEqual(updateGroups([], 2), [])
})

test('with a mask, truncated responses leave the batch', (t) => {
  const mixed = group({
    prompt: [7],
    responses: [[1], [2], [3]],
    advantages: [1, 0, -1],
    truncated: [false, true, false],
  })
  t.is(trainedSequences(mixed, 'none').length, 3)
  for (const mask of ['before', 'after'] as const)
    t.deepEqual(
      trainedSequences(mixed, mask).map(({ completionTokenIds }) => [...completionTokenIds]),
      [[1], [3]],
    )
})

test('masked responses that count make the loss smaller by their share', (t) => {
  const mixed = group({
    prompt: [7],
    responses: [
      [1, 2, 3],
      [4, 5, 6, 7, 8],
    ],
    advantages: [1, 0],
    truncated: [false, true],
  })
  const stage = parseRecipe({ truncation: { advantageMask: 'after' } })
  t.is(trainedShare([mixed], stage), 3 / 8)
  t.is(trainedShare([mixed], { ...stage, aggregation: 'sequence-mean-token-mean' }), 1 / 2)
})

test('no sequences make an empty batch', (t) => {
  t.deepEqual([...packBatch([]).offsets], [0])
})

async function calls(config: object, kept: RolloutGroup[]) {
  const seen: Record<string, unknown>[] = []
  const policy = {
    async trainStep(batch: object, options: object = {}) {
      seen.push({ ...batch, ...options })
      return stats({ tokens: 1 })
    },
    async score(batch: { tokenIds: Int32Array }) {
      return scores(batch.tokenIds.length, -0.75)
    },
  }
  const scored: string[][] = []
  const referencePolicy = {
    async score(batch: { tokenIds: Int32Array }) {
      scored.push(Object.keys(batch))
      return scores(batch.tokenIds.length, 0)
    },
  }
  const recipe = parseRecipe(config)
  await updatePolicy(policy, kept, {
    stage: resolveStages(recipe)[0]!,
    learningRate: 1e-3,
    entropyCoefficient: 0.1,
    referencePolicy,
  })
  return { seen, scored, recipe }
}

test('on-policy there are no old log-probs, and those of the sampler are only compared', async (t) => {
  const { seen, scored, recipe } = await calls({ promptsPerStep: 1 }, [
    group({ prompt: [1], responses: [[2]], advantages: [1] }),
  ])
  t.is(updatesPerStep(recipe), 1)
  t.is(seen.length, 1)
  t.false('oldLogprobs' in seen[0]!)
  t.true('samplerLogprobs' in seen[0]!)
  t.is(seen[0]!.entropyCoefficient, 0.1)
  t.is(seen[0]!.learningRate, 1e-3)
  t.is(scored.length, 0)
})

test('off-policy the ratio divides by the log-probs of the sampler, in each pass', async (t) => {
  const kept = [1, 2, 3].map((token) => group({ prompt: [token], responses: [[token]], advantages: [1] }))
  const config = { promptsPerStep: 4, promptsPerUpdate: 2, reuse: 2, klCoefficient: 0.1 }
  const { seen, scored, recipe } = await calls(config, kept)
  t.is(updatesPerStep(recipe), 4)
  t.is(seen.length, 4)
  t.deepEqual(
    seen.map((call) => [...(call.tokenIds as Int32Array)]),
    [
      [1, 1, 2, 2],
      [3, 3],
      [1, 1, 2, 2],
      [3, 3],
    ],
  )
  for (const call of seen) {
    t.deepEqual(call.oldLogprobs, call.samplerLogprobs)
    t.true(call.referenceLogprobs instanceof Float32Array)
  }
  t.deepEqual(scored, [
    ['tokenIds', 'offsets', 'promptLengths'],
    ['tokenIds', 'offsets', 'promptLengths'],
  ])
})

test('old log-probs are recomputed where the config says so, and never on-policy', async (t) => {
  const kept = [1, 2].map((token) => group({ prompt: [token], responses: [[token]], advantages: [1] }))
  const recomputed = { promptsPerStep: 2, oldLogprobs: 'recomputed' }
  for (const call of (await calls({ ...recomputed, promptsPerUpdate: 1 }, kept)).seen) {
    t.is((call.oldLogprobs as Float32Array)[0], -0.75)
    t.is((call.samplerLogprobs as Float32Array)[0], Math.fround(-0.1))
  }
  for (const call of (await calls(recomputed, kept)).seen) t.is(call.oldLogprobs, undefined)
})

test('only the first update of a step can be aborted', async (t) => {
  const signals: unknown[] = []
  const policy = {
    async trainStep(_: object, { signal }: { signal?: AbortSignal | undefined } = {}) {
      signals.push(signal)
      return stats({ tokens: 1 })
    },
    score: () => Promise.reject(new Error('no log-probs are recomputed')),
  }
  const kept = [1, 2].map((token) => group({ prompt: [token], responses: [[token]], advantages: [1] }))
  const [stage] = resolveStages(parseRecipe({ promptsPerStep: 2, promptsPerUpdate: 1 }))
  const { signal } = new AbortController()
  await updatePolicy(policy, kept, { stage: stage!, learningRate: 1, entropyCoefficient: 0, signal })
  t.deepEqual(signals, [signal, undefined])
})

test('a warning tells of calls that memory ran out in, and of no others', async (t) => {
  const warnings: string[] = []
  let updates = 0
  const policy = {
    trainStep: async () => stats({ memoryRetries: updates++, microBatches: 4, activationBytes: 2048 }),
    score: async ({ tokenIds }: { tokenIds: Int32Array }) => scores(tokenIds.length, 0, 2),
  }
  const kept = [1, 2].map((token) => group({ prompt: [token], responses: [[token]], advantages: [1] }))
  const [stage] = resolveStages(parseRecipe({ promptsPerStep: 2, reuse: 2, oldLogprobs: 'recomputed' }))
  const onWarning = (text: string) => warnings.push(text)
  await updatePolicy(policy, kept, { stage: stage!, learningRate: 1, entropyCoefficient: 0, onWarning })
  t.deepEqual(
    warnings.map((text) => text.replace(/, and .*/, '')),
    [
      'memory ran out 2 times in scoring: it went on in 3 micro-batches of up to 1024 bytes',
      'memory ran out 1 times in an update: it went on in 4 micro-batches of up to 2048 bytes',
    ],
  )
})

test('the learning rate warms up linearly', (t) => {
  const config = { learningRate: 8, warmupSteps: 4 }
  t.deepEqual(
    [1, 2, 3, 4, 5, 50].map((step) => learningRateAt(step, config)),
    [2, 4, 6, 8, 8, 8],
  )
  t.is(learningRateAt(1, { learningRate: 8, warmupSteps: 0 }), 8)
})
