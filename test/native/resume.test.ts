import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { completed, reached, sameRun, start } from './run-process.ts'
import { comparable, tinyRun } from './tiny-run.ts'

test.serial('a run that is killed and resumed equals one that was not, bit for bit', async (t) => {
  const { folder, config } = await tinyRun(t, 'evaluation: { data: rows.jsonl, samples: 2, every: 3 }\n')
  const whole = join(folder, 'whole')
  await completed(t, 'train', '-c', config, `output=${whole}`)

  const killed = join(folder, 'killed')
  for (const lines of [1, 3, 5]) {
    const { child, ended } = start(['train', '-c', config, `output=${killed}`, ...(lines > 1 ? ['--resume'] : [])])
    await reached(killed, lines)
    child.kill('SIGKILL')
    await ended
  }
  const text = await completed(t, 'train', '-c', config, `output=${killed}`, '--resume')
  t.regex(text, /resuming after step [24]/)
  await sameRun(t, whole, killed)

  const summary = JSON.parse(await readFile(join(killed, 'summary.json'), 'utf8'))
  const first = JSON.parse(await readFile(join(whole, 'summary.json'), 'utf8'))
  t.is(summary.steps, 6)
  t.is(summary.accuracyBefore, first.accuracyBefore)
  t.is(summary.accuracyAfter, first.accuracyAfter)
  t.deepEqual((await readdir(join(killed, 'checkpoints'))).sort(), ['step-000004', 'step-000006'])
})

test.serial('off-policy runs resume exactly too', async (t) => {
  const settings = 'promptsPerUpdate: 2\nreuse: 2\nclipHigh: 0.28\nklCoefficient: 0.01\nwarmupSteps: 4\n'
  const { folder, config } = await tinyRun(t, settings)
  const [whole, parts] = [join(folder, 'whole'), join(folder, 'parts')]
  await completed(t, 'train', '-c', config, `output=${whole}`)
  await completed(t, 'train', '-c', config, `output=${parts}`, 'steps=3')
  await completed(t, 'train', '-c', config, `output=${parts}`, '--resume')
  await sameRun(t, whole, parts)
  const [line] = await comparable(join(whole, 'metrics.jsonl'))
  t.is(line!['actor/updates'], 4)
  t.is(line!['actor/learning_rate'], 0.0025)
})

test.serial('Ctrl-C saves the last whole step and exits 130; the run goes on from there', async (t) => {
  const { folder, config } = await tinyRun(t)
  const whole = join(folder, 'whole')
  await completed(t, 'train', '-c', config, `output=${whole}`, 'checkpointEvery=0')
  const stopped = join(folder, 'stopped')
  const { child, ended } = start(['train', '-c', config, `output=${stopped}`, 'checkpointEvery=0'])
  await reached(stopped, 2)
  child.kill('SIGINT')
  const { code, output } = await ended
  t.is(code, 130, output)
  t.regex(output, /stopping: saving the last whole step/)
  const [checkpoint] = await readdir(join(stopped, 'checkpoints'))
  t.regex(checkpoint!, /^step-00000[2-5]$/)
  await completed(t, 'train', '-c', config, `output=${stopped}`, 'checkpointEvery=0', '--resume')
  await sameRun(t, whole, stopped)
})

test.serial('Ctrl-C in sft saves the model of the last whole step and exits 130', async (t) => {
  const { folder } = await tinyRun(t)
  const [rows, model] = [join(folder, 'sft.jsonl'), join(folder, 'tuned')]
  await writeFile(rows, '{"prompt":"1+1=","response":"2"}\n')
  const settings = [`model=${join(folder, 'base')}`, `data.train=${rows}`, `output=${model}`, 'steps=100000']
  const { child, ended } = start(['sft', ...settings, 'batchSize=1'])
  await reached(model, 3)
  child.kill('SIGINT')
  const { code, output } = await ended
  t.is(code, 130, output)
  t.regex(output, /stopping: saving the last whole step/)
  t.true((await readdir(model)).includes('model.safetensors'))
})

test.serial('sft writes over neither a run nor a model', async (t) => {
  const { folder } = await tinyRun(t)
  const rows = join(folder, 'sft.jsonl')
  await writeFile(rows, '{"prompt":"1+1=","response":"2"}\n')
  const [base, out] = [join(folder, 'base'), join(folder, 'out')]
  await mkdir(out)
  await writeFile(join(out, 'metrics.jsonl'), '{"step":1}\n')
  const into = (output: string) => start(['sft', `model=${base}`, `data.train=${rows}`, `output=${output}`, 'steps=1'])
  const run = await into(out).ended
  t.is(run.code, 2, run.output)
  t.regex(run.output, /'output': .*out already holds a run \(metrics\.jsonl\); give another folder/)
  t.is(await readFile(join(out, 'metrics.jsonl'), 'utf8'), '{"step":1}\n')
  const model = await into(base).ended
  t.is(model.code, 2, model.output)
  t.regex(model.output, /'output': .*base already holds a model \(config\.json\); give another folder/)
})

test.serial('a second run into the same folder, a changed config and changed data are told', async (t) => {
  const { folder, config } = await tinyRun(t)
  const out = join(folder, 'out')
  await completed(t, 'train', '-c', config, 'steps=2')
  const again = await start(['train', '-c', config]).ended
  t.is(again.code, 2)
  t.regex(again.output, /'output': .*out already holds a run \(metrics.jsonl\); go on with it by --resume/)
  t.notRegex(again.output, /\n\s+at /, 'no stack')

  const changed = await completed(t, 'train', '-c', config, 'steps=3', 'learningRate=0.02', '--resume')
  t.regex(changed, /config differs: learningRate was 0\.01, is 0\.02/)
  t.deepEqual(
    (await comparable(join(out, 'metrics.jsonl'))).map(({ step }) => step),
    [1, 2, 3],
  )

  await writeFile(join(folder, 'rows.jsonl'), '{"prompt":"1+1=","answer":"2"}\n')
  const other = await start(['train', '-c', config, 'steps=4', '--resume']).ended
  t.is(other.code, 2)
  t.regex(other.output, /'data.train': 1 prompts, but the run that is resumed had 10/)
})
