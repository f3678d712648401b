import { type ChildProcess, spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { comparable } from './tiny-run.ts'

const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  output: string
}

/** The command line as a process of its own, with variables of its own where they are given. */
export function start(
  args: readonly string[],
  variables: Record<string, string> = {},
): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, ['--import=tsx', cli, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...variables },
  })
  let output = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (data) => {
      output += data
    })
  const ended = new Promise<Ended>((resolve) => child.on('close', (code, signal) => resolve({ code, signal, output })))
  return { child, ended }
}

/** Runs to the end, which must be a good one, and returns what was printed. */
export async function completed(t: ExecutionContext, ...args: string[]): Promise<string> {
  const { code, output } = await start(args).ended
  t.is(code, 0, output)
  return output
}

/** Waits until the run has that many lines of metrics. */
export async function reached(output: string, lines: number): Promise<void> {
  for (;;) {
    const text = await readFile(join(output, 'metrics.jsonl'), 'utf8').catch(() => '')
    if (text.split('\n').length > lines) return
    await sleep(5)
  }
}

/** Bit for bit: metrics, stages, evaluations, responses, and the float32 weights and moments at the end. */
export async function sameRun(t: ExecutionContext, one: string, other: string): Promise<void> {
  t.deepEqual(await comparable(join(other, 'metrics.jsonl')), await comparable(join(one, 'metrics.jsonl')))
  const same = async (name: string) => {
    const read = (run: string) => readFile(join(run, name), 'latin1').catch(() => undefined)
    const [expected, actual] = await Promise.all([read(one), read(other)])
    t.true(actual === expected, `${name} is the same`)
  }
  for (const name of ['stages.jsonl', 'evaluation.jsonl']) await same(name)
  const rollouts = await readdir(join(one, 'rollouts'))
  t.deepEqual(await readdir(join(other, 'rollouts')), rollouts)
  for (const name of rollouts) await same(join('rollouts', name))
  const checkpoint = (await readdir(join(one, 'checkpoints'))).sort().at(-1)!
  await same(join('checkpoints', checkpoint, 'optimizer.safetensors'))
}
