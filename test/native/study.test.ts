import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { runStudy } from '../../src/studies/run-study.ts'
import { studies } from '../../src/studies/studies.ts'
import { comparable, tinyRun } from './tiny-run.ts'

const study = studies.find(({ name }) => name === 'mask')!
const reporter = () => ({})

test('a study runs its variants, compares them, and does nothing twice', async (t) => {
  const { folder, config } = await tinyRun(t)
  const overrides = ['steps=2', `output=${join(folder, 'studies')}`]
  const outcome = (await runStudy(study, config, { overrides, reporter }))!
  const own = join(folder, 'studies/mask')
  t.deepEqual((await readdir(own)).sort(), ['after', 'before', 'none', 'study.md', 'study.svg'])
  t.is(outcome.table, join(own, 'study.md'))
  for (const mask of ['none', 'before', 'after']) {
    t.regex(outcome.text, new RegExp(`\\| mask ${mask} \\| 2 \\|`))
    t.regex(await readFile(join(own, mask, 'config.yaml'), 'utf8'), new RegExp(`advantageMask: ${mask}`))
  }
  const written = (await stat(join(own, 'none/metrics.jsonl'))).mtimeMs
  await runStudy(study, config, { overrides, reporter: () => t.fail('nothing is left to run') as never })
  t.is((await stat(join(own, 'none/metrics.jsonl'))).mtimeMs, written)

  for (const changed of ['steps=3', 'learningRate=0.02'])
    await t.throwsAsync(runStudy(study, config, { overrides: [...overrides, changed], reporter }), {
      message: new RegExp(
        `mask/none was begun with another setting: ${changed.split('=')[0]} was .* remove the folder`,
      ),
    })
})

test('a study that was stopped goes on where it was', async (t) => {
  const { folder, config } = await tinyRun(t)
  const options = (name: string) => ['steps=4', 'checkpointEvery=1', `output=${join(folder, name)}`]
  await runStudy(study, config, { overrides: options('whole'), reporter })
  const stop = new AbortController()
  const stopped = await runStudy(study, config, {
    overrides: options('parts'),
    signal: stop.signal,
    reporter: ({ name }) => ({ onStep: ({ step }) => name === 'before' && step === 2 && stop.abort() }),
  })
  t.is(stopped, undefined)
  t.truthy(await runStudy(study, config, { overrides: options('parts'), reporter }))
  for (const mask of ['none', 'before', 'after']) {
    const lines = (name: string) => comparable(join(folder, name, 'mask', mask, 'metrics.jsonl'))
    t.deepEqual(await lines('parts'), await lines('whole'))
  }
})

test('a base with stages, which would hide what the variants change, is refused', async (t) => {
  const { folder, config } = await tinyRun(t)
  const overrides = ['stages=[{ maxResponseLength: 4 }]', `output=${join(folder, 'studies')}`]
  await t.throwsAsync(runStudy(study, config, { overrides, reporter }), {
    message: /^'stages': expected none in the base of study mask/,
  })
})
