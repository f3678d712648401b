import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Evaluator, type RunEvaluation } from '../../src/evaluate/evaluator.ts'
import { RunFolder } from '../../src/metrics/run-folder.ts'
import { LocalEngine } from '../../src/rollout/local-engine.ts'
import { fakePolicy, group } from './fixtures.ts'

const { prompt } = group({ prompt: [1], responses: [[2]], advantages: [0] })

/** Answers every prompt by one token, 7. */
const engine = new LocalEngine(
  fakePolicy(() => {
    const numbers = { logprobs: Float32Array.of(-0.1), entropy: Float32Array.of(1) }
    return [{ tokenIds: Int32Array.of(7), ...numbers, finishReason: 'stop' }]
  }),
  { decode: (ids) => [...Array.from(ids)].join(' '), stopTokenIds: [7] },
)
const verifier = {
  verify: async ({ answer }: { answer: unknown }) => ({ reward: Number(answer === '7'), correct: answer === '7' }),
}
const evaluation: RunEvaluation = {
  ...{ samples: 1, maxResponseLength: 1, temperature: 1, topP: 1, topK: 0, maxBatchSize: 1, seed: 0, every: 2 },
  sets: [
    { name: 'right', prompts: [{ ...prompt, answer: '7' }] },
    { name: 'wrong', prompts: [prompt, prompt, prompt] },
  ],
}

test('a kill after a write leaves every set of the step or none', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'magic-evaluation-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  const folder = new RunFolder(path)
  const append = folder.evaluations.append.bind(folder.evaluations)
  folder.evaluations.append = async (...lines) => {
    await append(...lines)
    throw new Error('killed')
  }
  await t.throwsAsync(new Evaluator(engine, verifier, evaluation, folder).run(0), { message: 'killed' })
  const resumed = new Evaluator(engine, verifier, evaluation, new RunFolder(path))
  await resumed.resume()
  t.deepEqual(await resumed.run(0), [], 'the step was evaluated')
  t.is(resumed.accuracyAt(0), 1 / 4, 'over the problems of all sets')
})

test('a step is evaluated before the first, and at every so many', (t) => {
  const evaluator = new Evaluator(engine, verifier, evaluation, undefined)
  const due = [0, 1, 2, 3, 4, 5].filter((step) => evaluator.isDue(step))
  t.deepEqual(due, [0, 2, 4])
})
