import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import {
  newestCheckpoint,
  prepareCheckpoint,
  pruneCheckpoints,
  stepName,
  type TrainerState,
} from '../../src/checkpoint/run-checkpoint.ts'

const policy = {
  lora: undefined,
  saveAdapter: async () => {},
  save: (dir: string) => writeFile(join(dir, 'config.json'), '{}'),
  saveOptimizer: (path: string) => writeFile(path, 'moments'),
}

function state(step: number): TrainerState {
  return {
    ...{ version: 3, evaluated: false, step, seed: 1, promptCount: 3, promptHash: 'a', seconds: 2.5 },
    stages: {
      ...{ stage: 1, steps: step, resetAt: 0, stream: { parts: [{ weight: 1, drawn: step }] }, values: [] },
      prompts: { solved: [], missed: [], dropped: [] },
    },
    controller: { kind: 'constant', coefficient: 0, lastEntropy: 0.1, gate: true },
  }
}

async function folder(): Promise<string> {
  return join(await mkdtemp(join(tmpdir(), 'magic-checkpoint-')), 'checkpoints')
}

test('a checkpoint exists once it is whole', async (t) => {
  const path = await folder()
  t.is(await newestCheckpoint(path), undefined)
  const prepared = await prepareCheckpoint(path, policy, state(3))
  t.is(await newestCheckpoint(path), undefined)
  await prepared.commit()
  t.deepEqual(await newestCheckpoint(path), { path: join(path, 'step-000003'), state: state(3) })
  t.deepEqual((await readdir(join(path, 'step-000003'))).sort(), [
    'config.json',
    'optimizer.safetensors',
    'trainer.json',
  ])
})

test('the newest goes by number, also past a million', async (t) => {
  const path = await folder()
  for (const step of [9, 1_000_000, 999_999]) await (await prepareCheckpoint(path, policy, state(step))).commit()
  t.is((await newestCheckpoint(path))!.state.step, 1_000_000)
  t.is(stepName(7), 'step-000007')
})

test('only the newest are kept, and half-written ones are cleared away', async (t) => {
  const path = await folder()
  for (const step of [1, 2, 3]) await (await prepareCheckpoint(path, policy, state(step))).commit()
  await mkdir(join(path, '.step-000004.killed.partial'))
  await mkdir(join(path, 'mine'))
  await pruneCheckpoints(path, 2)
  t.deepEqual((await readdir(path)).sort(), ['mine', 'step-000002', 'step-000003'])
})

test('a failing save leaves nothing behind', async (t) => {
  const path = await folder()
  const full = { ...policy, saveOptimizer: () => Promise.reject(new Error('disk full')) }
  await t.throwsAsync(prepareCheckpoint(path, full, state(1)), { message: 'disk full' })
  t.deepEqual(await readdir(path), [])
})

test('a damaged or foreign record is told', async (t) => {
  const path = await folder()
  await (await prepareCheckpoint(path, policy, state(1))).commit()
  const record = join(path, 'step-000001', 'trainer.json')
  t.is(JSON.parse(await readFile(record, 'utf8')).seconds, 2.5)
  await writeFile(record, '{"version":')
  await t.throwsAsync(newestCheckpoint(path), { message: /trainer\.json: not JSON; remove this checkpoint's folder/ })
  await writeFile(record, '{"version":1,"step":1}')
  await t.throwsAsync(newestCheckpoint(path), { message: /version is 1, expected 3/ })
})
