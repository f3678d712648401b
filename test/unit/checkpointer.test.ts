import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Prompt } from '../../src/data/prompt.ts'
import { RunFolder } from '../../src/metrics/run-folder.ts'
import type { Policy } from '../../src/policy/policy.ts'
import { Checkpointer, type TrainerProgressState } from '../../src/train/checkpointer.ts'

const prompts = [{ id: 'a', tokenIds: Int32Array.of(1) }] as Prompt[]

function progress(step: number): TrainerProgressState {
  return {
    ...{ step, evaluated: false, seconds: 1 },
    stages: {
      ...{ stage: 1, steps: step, resetAt: 0, stream: { parts: [{ weight: 1, drawn: step }] }, values: [] },
      prompts: { solved: [], missed: [], dropped: [] },
    },
    controller: { kind: 'constant', coefficient: 0, lastEntropy: 0.1, gate: true },
  }
}

/** A checkpointer whose disk answers when the test says so. */
async function slow(t: ExecutionContext) {
  const path = await mkdtemp(join(tmpdir(), 'magic-checkpointer-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  const events: string[] = []
  const disk = { answer: () => {}, fail: (_error: Error) => {} }
  let snapshots = 0
  const policy = {
    async snapshot() {
      const number = ++snapshots
      events.push(`snapshot ${number}`)
      return {
        lora: undefined,
        saveAdapter: async () => {},
        save: (dir: string) =>
          new Promise<void>((resolve, reject) => {
            disk.answer = () => resolve(writeFile(join(dir, 'config.json'), '{}'))
            disk.fail = reject
            events.push(`writing ${number}`)
          }),
        saveOptimizer: (file: string) => writeFile(file, 'moments'),
        dispose: () => events.push(`dispose ${number}`),
      }
    },
  } as unknown as Policy
  const config = { seed: 1, checkpointEvery: 1, keepCheckpoints: 1 }
  const checkpointer = new Checkpointer(new RunFolder(path), policy, prompts, config)
  const begun = async (count: number) => {
    while (events.filter((event) => event.startsWith('writing')).length < count) await new Promise(setImmediate)
  }
  return { checkpointer, disk, events, begun, folders: () => readdir(join(path, 'checkpoints')) }
}

test('a checkpoint is written while others work, and the next waits for it', async (t) => {
  const { checkpointer, disk, events, begun, folders } = await slow(t)
  const state = progress(1)
  const first = await checkpointer.prepare(state)
  t.deepEqual(events, ['snapshot 1'])
  state.stages.steps = 99
  first.write()
  await begun(1)
  t.is(checkpointer.savedStep, 0, 'not yet complete')
  const next = checkpointer.prepare(progress(2))
  await new Promise(setImmediate)
  t.deepEqual(events, ['snapshot 1', 'writing 1'], 'one snapshot at a time')
  disk.answer()
  const second = await next
  t.is(checkpointer.savedStep, 1)
  t.deepEqual(events, ['snapshot 1', 'writing 1', 'dispose 1', 'snapshot 2'])
  t.deepEqual(await folders(), ['step-000001'])
  second.write()
  await begun(2)
  disk.answer()
  await checkpointer.written()
  t.deepEqual(await folders(), ['step-000002'], 'the one before is removed once this one is complete')
})

test('what the writing failed with is thrown once, to whoever comes next', async (t) => {
  const { checkpointer, disk, events, begun, folders } = await slow(t)
  for (const [number, next] of (['written', 'prepare', 'check'] as const).entries()) {
    const checkpoint = await checkpointer.prepare(progress(number + 1))
    checkpoint.write()
    await begun(number + 1)
    t.notThrows(() => checkpointer.check(), 'it is not waited for')
    disk.fail(new Error(`disk full ${number}`))
    while (!events.includes(`dispose ${number + 1}`)) await new Promise(setImmediate)
    await new Promise(setImmediate)
    const call = async () => (next === 'prepare' ? checkpointer.prepare(progress(9)) : checkpointer[next]())
    await t.throwsAsync(call, { message: `disk full ${number}` })
    await t.notThrowsAsync(checkpointer.written())
  }
  t.is(checkpointer.savedStep, 0)
  t.deepEqual(await folders(), [], 'nothing half-written stays')
})
