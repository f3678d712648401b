import { join } from 'node:path'
import test from 'ava'
import { loadTrainConfig } from '../../src/config/train-config.ts'
import { RunFolder } from '../../src/metrics/run-folder.ts'
import { runTraining } from '../../src/train/run.ts'
import { tinyRun } from './tiny-run.ts'

test('a stage ends by the evaluations that are made in it', async (t) => {
  const until = 'until: { metric: eval/rows/avg@2, window: 1, minImprovement: 2 }'
  const { folder, config } = await tinyRun(
    t,
    `stages: [{ steps: 9, ${until} }, { steps: 1 }]\nevaluation: { data: rows.jsonl, samples: 2, every: 2 }\n`,
  )
  await runTraining(await loadTrainConfig({ file: config }))
  // Two evaluations between steps, after 2 and 4, none of which improves by 2; the one before the training is not in a stage.
  const [transition] = await new RunFolder(join(folder, 'out')).stages.read()
  t.like(transition, { step: 5, stage: 2, reason: 'converged' })

  const refused = { overrides: ['evaluation.every=0', 'output=never'], file: config, cwd: folder }
  await t.throwsAsync(runTraining(await loadTrainConfig(refused)), { message: /give evaluation\.every$/ })
})
