import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { completed, sameRun, start } from './run-process.ts'
import { killAtResponse, stagedRun } from './staged-run.ts'

/** Responses of each step: by number of the step, from 1. */
async function responses(output: string): Promise<number[]> {
  const names = (await readdir(join(output, 'rollouts'))).sort()
  const texts = await Promise.all(names.map((name) => readFile(join(output, 'rollouts', name), 'utf8')))
  return [0, ...texts.map((text) => text.trimEnd().split('\n').length)]
}

async function transitions(output: string): Promise<{ step: number; stage: number; dropped: number }[]> {
  const text = await readFile(join(output, 'stages.jsonl'), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** A run that ends itself when it verifies the n-th of its responses, and another that goes on with it. */
async function killAndResume(t: ExecutionContext, config: string, output: string, nth: number, every: number) {
  const settings = ['train', '-c', config, `output=${output}`, `checkpointEvery=${every}`]
  const killed = await start(settings, { [killAtResponse]: String(nth) }).ended
  t.is(killed.signal, 'SIGKILL', killed.output)
  return completed(t, ...settings, '--resume')
}

test.serial('a run of stages resumes exactly from the middle of a stage, a transition and a refill', async (t) => {
  const { folder, config } = await stagedRun(t)
  const whole = join(folder, 'whole')
  await completed(t, 'train', '-c', config, `output=${whole}`)
  const counts = await responses(whole)
  const before = (step: number) => counts.slice(0, step).reduce((sum, count) => sum + count, 0)
  const [second, third] = await transitions(whole)
  t.like(second, { stage: 2, step: 4 })
  t.true(second!.dropped > 0, 'prompts that were always solved are dropped')
  t.is(third!.stage, 3)

  const refilled = counts.findIndex((count, step) => step < third!.step && count > 4 * 4)
  t.true(refilled > 0, 'some step of the first stages draws more prompts than it began with')
  const moments: [string, number, number, number][] = [
    ['in the middle of a stage', before(2) + 5, 1, 1],
    [
      'in the middle of a stage, long after the checkpoint',
      before(third!.step + 2) + 2,
      4,
      4 * Math.floor((third!.step + 1) / 4),
    ],
    ['after the last step of a stage', before(4) + 1, 1, 3],
    ['after the last step of a stage, before its checkpoint', before(4) + 1, 2, 2],
    ['after the last step of a stage, optimizer and controller reset', before(third!.step) + 1, 1, third!.step - 1],
    ['in a refill', before(refilled) + 4 * 4 + 1, 1, refilled - 1],
  ]
  for (const [index, [moment, nth, every, resumedAfter]] of moments.entries()) {
    const output = join(folder, `killed-${index}`)
    const text = await killAndResume(t, config, output, nth, every)
    // The newest checkpoint may still have been under way; the one before it is complete.
    const possible = [resumedAfter, resumedAfter - every].map((step) =>
      step <= 0 ? 'no checkpoint yet' : `resuming after step ${step}\n`,
    )
    t.true(
      possible.some((line) => text.includes(line)),
      `${moment}: ${text}`,
    )
    await sameRun(t, whole, output)
    t.log(moment)
  }
})
