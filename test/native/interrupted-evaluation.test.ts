import { join } from 'node:path'
import test from 'ava'
import { loadTrainConfig } from '../../src/config/train-config.ts'
import { runTraining } from '../../src/train/run.ts'
import { comparable, tinyRun } from './tiny-run.ts'

test('a run that is stopped in an evaluation has that evaluation after it is resumed', async (t) => {
  const { folder, config } = await tinyRun(t, 'evaluation: { data: rows.jsonl, samples: 2, every: 2 }\n')
  const into = (name: string) =>
    loadTrainConfig({ file: config, overrides: [`output=${JSON.stringify(join(folder, name))}`] })
  await runTraining(await into('whole'))
  const stop = new AbortController()
  const stopped = await runTraining(await into('parts'), {
    signal: stop.signal,
    onStep: ({ step }) => step === 3 && stop.abort(),
  })
  t.is(stopped.steps, 3)

  const again = new AbortController()
  const evaluating = await runTraining(await into('parts'), {
    ...{ resume: true, signal: again.signal },
    onProgress: ({ step, phase }) => step === 4 && phase === 'evaluate' && again.abort(),
  })
  t.true(evaluating.interrupted)
  t.is(evaluating.steps, 4)
  const lines = (name: string) => comparable(join(folder, name, 'metrics.jsonl'))
  t.false('eval/rows/avg@2' in (await lines('parts'))[3]!)

  await runTraining(await into('parts'), { resume: true })
  t.deepEqual(await lines('parts'), await lines('whole'))
  t.deepEqual(
    await comparable(join(folder, 'parts/evaluation.jsonl')),
    await comparable(join(folder, 'whole/evaluation.jsonl')),
  )
})

test('an evaluation that is made again on resume counts for the stage on every resume from that checkpoint', async (t) => {
  const until = 'until: { metric: eval/rows/avg@2, window: 1, minImprovement: 2 }'
  const { folder, config } = await tinyRun(
    t,
    `stages: [{ steps: 9, ${until} }, { steps: 2 }]\nevaluation: { data: rows.jsonl, samples: 2, every: 2 }\n`,
  )
  const into = (name: string) =>
    loadTrainConfig({ file: config, overrides: [`output=${JSON.stringify(join(folder, name))}`, 'checkpointEvery=4'] })
  const stopAt = (wanted: (step: number, phase: string) => boolean) => {
    const stop = new AbortController()
    return {
      signal: stop.signal,
      onProgress: ({ step, phase }: { step: number; phase: string }) => wanted(step, phase) && stop.abort(),
    }
  }
  await runTraining(await into('whole'))
  // The stage converges by the evaluation of step 4, in which the run is stopped.
  await runTraining(
    await into('parts'),
    stopAt((step, phase) => step === 4 && phase === 'evaluate'),
  )
  // Twice more it gets past that evaluation, and no further.
  for (const _ of [1, 2])
    await runTraining(await into('parts'), {
      ...{ resume: true },
      ...stopAt((step, phase) => step === 5 && phase === 'rollout'),
    })
  await runTraining(await into('parts'), { resume: true })
  for (const name of ['metrics', 'evaluation', 'stages'])
    t.deepEqual(
      await comparable(join(folder, 'parts', `${name}.jsonl`)),
      await comparable(join(folder, 'whole', `${name}.jsonl`)),
    )
})
