/**
 * Steps of examples/smollm2-arithmetic.yaml against TRL on the same task: 8 prompts of about 97 tokens x 8 samples, up to
 * 16 new tokens. No entropy control, which TRL has not. Ours leaves groups that are all right or all wrong out of the
 * update, as the recipe says; TRL computes them.
 */

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { interleave, rowOf, timedRow } from '../compare.ts'
import { type Context, LeftOut, type Part } from '../part.ts'
import type { Row } from '../row.ts'
import { type Repetition, Side } from '../side.ts'
import type { RunJob } from '../sides/trainer.ts'

const REWARD = 0.8
/** the reward of a step is the mean of so many, as one step has 64 answers */
const WINDOW = 4
const MOST_STEPS = 60
const goal = { ratio: 5 }

export const arithmetic: Part = {
  name: 'arithmetic',
  about: 'steps of examples/smollm2-arithmetic.yaml against TRL; needs --model; --full: up to a reward of 0.8, too',
  cases: { step: steps, 'reward-0.8': wholeRun },
}

/** What both sides are told. */
async function jobs(context: Context) {
  if (!context.model) throw new LeftOut('no model folder: give --model DIR of SmolLM2-135M-Instruct')
  const interpreter = await context.python()
  const folder = join(await context.temporary(), 'one-digit-sums')
  execFileSync(process.execPath, ['--import=tsx', example('one-digit-sums.ts'), folder], { stdio: ['ignore', 2, 2] })
  const rows = join(folder, 'train.jsonl')
  const overrides = [`model=${context.model}`, `data.train=${rows}`, `evaluation.data=${join(folder, 'heldout.jsonl')}`]
  const job: RunJob = {
    config: example('smollm2-arithmetic.yaml'),
    overrides: [...overrides, 'entropy.controller=off', `output=${join(folder, 'run')}`],
  }
  const sizes = { prompts: 8, samples: 8, newTokens: 16, learningRate: 5e-6 }
  return { interpreter, ours: job, peer: { model: context.model, rows, dtype: 'float32', ...sizes } }
}

async function steps(context: Context): Promise<Row[]> {
  const { interpreter, ...job } = await jobs(context)
  await using ours = await Side.start('sides/trainer.ts', job.ours)
  await using peer = await Side.start('peers/trl_steps.py', job.peer, interpreter)
  const both = { ours, peer }
  const result = await interleave(both, { seconds: 60, most: 4 }, context.log)
  const kept = result.ours.map((step) => step.kept!.toFixed(2)).join(' ')
  const settings = { dtype: 'float32', weights: 'real', 'groups kept, ours': kept }
  const text = { name: '8 prompts x 8, up to 16 new tokens', part: 'arithmetic', peerName: 'TRL', settings, goal }
  return [await rowOf(text, result, both)]
}

/** Both sides in turns until each has its reward: seconds of steps, loading left out. */
async function wholeRun(context: Context): Promise<Row[]> {
  if (!context.full) throw new LeftOut('takes half an hour: give --full')
  const { interpreter, ...job } = await jobs(context)
  await using ours = await Side.start('sides/trainer.ts', job.ours)
  await using peer = await Side.start('peers/trl_steps.py', job.peer, interpreter)
  const both = { ours, peer }
  const runs = { ours: [] as Repetition[], peer: [] as Repetition[] }
  while (!reached(runs.ours) || !reached(runs.peer)) {
    for (const side of ['ours', 'peer'] as const) {
      if (reached(runs[side])) continue
      if (runs[side].length === MOST_STEPS) throw new Error(`${side}: no reward of ${REWARD} in ${MOST_STEPS} steps`)
      const step = await both[side].run()
      runs[side].push(step)
      const figures = `reward ${step.reward!.toFixed(2)}, ${step.seconds.toFixed(1)} s`
      context.log(`${side}, step ${runs[side].length}: ${figures}`)
    }
  }
  const total = (steps: Repetition[]) => [{ seconds: steps.reduce((sum, { seconds }) => sum + seconds, 0) }]
  const settings = { dtype: 'float32', 'steps, ours': runs.ours.length, 'steps, peer': runs.peer.length }
  const name = `to a reward of ${REWARD}, mean of ${WINDOW} steps`
  const text = { name, part: 'arithmetic', peerName: 'TRL', settings, goal }
  return [timedRow(text, { ours: total(runs.ours), peer: total(runs.peer) }, undefined)]
}

function reached(steps: readonly Repetition[]): boolean {
  const last = steps.slice(-WINDOW)
  return last.length === WINDOW && last.reduce((sum, { reward }) => sum + reward!, 0) / WINDOW >= REWARD
}

function example(name: string): string {
  return fileURLToPath(new URL(`../../examples/${name}`, import.meta.url))
}
