import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { loadTrainConfig } from '../../src/config/train-config.ts'
import { runTraining } from '../../src/train/run.ts'
import { comparable, tinyRun } from './tiny-run.ts'

const rows = (...prompts: string[]) => prompts.map((prompt) => `${JSON.stringify({ prompt, answer: '1' })}\n`).join('')

test('a mixture without the evaluation problems: drawn by weight, counted, and exact after a resume', async (t) => {
  const { folder, config: file } = await tinyRun(t)
  await writeFile(join(folder, 'many.jsonl'), rows('1+1=', '2+1=', '3+1=', '4+1=', '4+1=', '5+1=', '0+0=0+0=0+0=0+0='))
  await writeFile(join(folder, 'few.jsonl'), rows('9+9=', '8+8='))
  await writeFile(join(folder, 'heldout.jsonl'), rows('1 + 1 =', '6+6='))
  const mixture = `[{ path: ${folder}/many.jsonl, weight: 1 }, { path: ${folder}/few.jsonl, weight: 3 }]`
  const overrides = [`data.train=${mixture}`, 'data.decontaminate={}', `evaluation.data=${folder}/heldout.jsonl`]
  const short = ['maxPromptLength=12', 'evaluation.samples=1', 'steps=4']
  const notes: string[] = []
  const load = (...more: string[]) => loadTrainConfig({ file, overrides: [...overrides, ...short, ...more] })
  const summary = await runTraining(await load(), { onNote: (text) => notes.push(text) })
  t.deepEqual(summary.dropped, { tooLong: 1, duplicates: 1, contaminated: 1 })
  t.is(summary.prompts, 6)
  t.regex(notes.join('\n'), /^6 prompts \(1 too long, 1 duplicate, 1 in the evaluation data dropped\)/m)
  const drawn = await prompts(join(folder, 'out'), 4)
  t.is(drawn.length, 16)
  t.is(drawn.filter((prompt) => prompt === '9+9=' || prompt === '8+8=').length, 12)

  const resumed = (...more: string[]) => load(`output=${folder}/resumed`, ...more)
  await runTraining(await resumed('steps=2'))
  await runTraining(await resumed(), { resume: true })
  t.deepEqual(await prompts(join(folder, 'resumed'), 4), drawn)
  const lines = (run: string) => comparable(join(folder, run, 'metrics.jsonl'))
  t.deepEqual((await lines('resumed')).map(withoutEvaluation), (await lines('out')).map(withoutEvaluation))
})

test('epochs end a run before its steps', async (t) => {
  const { config: file } = await tinyRun(t)
  const notes: string[] = []
  const config = await loadTrainConfig({ file, overrides: ['data.epochs=1'] })
  const summary = await runTraining(config, { onNote: (text) => notes.push(text) })
  t.is(summary.steps, 3, 'ten prompts, four a step')
  t.is(new Set(await prompts(config.output, 3)).size, 10)
  t.is(notes.at(-1), 'ended after 3 of 6 steps: prompts used up (data.epochs 1) or converged')
})

/** The run of two steps was evaluated after its last. */
function withoutEvaluation(line: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(line).filter(([name]) => !name.startsWith('eval/')))
}

/** The prompts of a run in the order in which they were drawn. */
async function prompts(output: string, steps: number): Promise<string[]> {
  const drawn: string[] = []
  for (let step = 1; step <= steps; step++) {
    const text = await readFile(join(output, `rollouts/step-00000${step}.jsonl`), 'utf8')
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    drawn.push(...lines.filter(({ sample }) => sample === 0).map(({ prompt }) => prompt.at(-1).content))
  }
  return drawn
}
