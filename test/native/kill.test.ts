import { readdirSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { Random } from '../reference/random.ts'
import { completed, sameRun, start } from './run-process.ts'
import { stagedRun } from './staged-run.ts'

const kills = 50

/** What a process may be seen to do before it is killed. */
const moments = ['starts', 'resumes', 'writes rollouts', 'writes metrics', 'begins a checkpoint', 'ends a checkpoint']

function names(folder: string): string {
  try {
    return readdirSync(folder).sort().join(' ')
  } catch {
    return ''
  }
}

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

/** A value that changes when the moment comes; undefined for the start, which needs no waiting. */
function watched(moment: string, output: string): (() => string | number) | undefined {
  const checkpoints = join(output, 'checkpoints')
  switch (moment) {
    case 'resumes':
      return () => modified(join(output, 'config.yaml'))
    case 'writes rollouts':
      return () => names(join(output, 'rollouts'))
    case 'writes metrics':
      return () => modified(join(output, 'metrics.jsonl'))
    case 'begins a checkpoint':
      return () => names(checkpoints).replaceAll(/(^| )step-\d+/g, '')
    case 'ends a checkpoint':
      return () => names(checkpoints).replaceAll(/\.step-\S+/g, '')
    default:
      return undefined
  }
}

test.serial(`a run that is killed ${kills} times in a row at random moments equals one that was not`, async (t) => {
  t.timeout(40 * 60_000)
  const seed = Number(process.env.MAGIC_GRPO_TEST_SEED ?? 1)
  const random = new Random(seed)
  t.log(`kill moments of seed ${seed}; another by MAGIC_GRPO_TEST_SEED`)
  const { folder, config } = await stagedRun(
    t,
    [12, 12, 12],
    'evaluation: { data: rows.jsonl, samples: 1, every: 7 }\n',
  )
  const whole = join(folder, 'whole')
  await completed(t, 'train', '-c', config, `output=${whole}`)

  const counts = new Map(moments.map((moment) => [moment, 0]))
  let runs = 1
  let killed = 0
  while (killed < kills) {
    const output = join(folder, `killed-${runs}`)
    const moment = moments[random.integer(moments.length)]!
    const every = `checkpointEvery=${1 + random.integer(3)}`
    const delay = moment === 'starts' ? random.uniform() * 1500 : random.uniform() < 0.5 ? 0 : random.uniform() * 50
    const { child, ended } = start(['train', '-c', config, `output=${output}`, every, '--resume'])
    let over = false
    ended.then(() => {
      over = true
    })
    const value = watched(moment, output)
    for (const before = value?.(); value && !over && value() === before; ) await sleep(1)
    await sleep(delay)
    child.kill('SIGKILL')
    const { code, signal, output: text } = await ended
    if (signal === 'SIGKILL') {
      killed++
      counts.set(moment, counts.get(moment)! + 1)
    } else {
      // It came to its end first: it is held against the whole run, and another one is begun.
      t.is(code, 0, text)
      await sameRun(t, whole, output)
      runs++
    }
  }
  const last = join(folder, `killed-${runs}`)
  await completed(t, 'train', '-c', config, `output=${last}`, '--resume')
  await sameRun(t, whole, last)
  t.log(`${runs} runs; killed when a process ${[...counts].map(([moment, count]) => `${moment}: ${count}`).join(', ')}`)

  const left = (await readdir(last, { recursive: true })).filter((name) => /\.(tmp|partial)$/.test(name))
  t.deepEqual(left, [], 'nothing half-written is left')
})
