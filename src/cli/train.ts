import { resolveTrainConfig } from '../config/train-config.ts'
import { duration, ProgressLine } from '../metrics/progress.ts'
import { resourceTable } from '../metrics/resource-report.ts'
import { sampleRows, samplesTable } from '../metrics/samples-table.ts'
import { resolveStages, totalSteps } from '../stage/resolve-stages.ts'
import { type RunSummary, runTraining } from '../train/run.ts'
import { predictRunMemory } from '../train/run-memory.ts'
import type { StepReport } from '../train/trainer.ts'
import { dryRun, memoryComment } from './dry-run.ts'
import { interruptSignal } from './interrupt.ts'
import { stageTable } from './stage-table.ts'

/** `magic-grpo train`: exits 130 where it was interrupted. */
export async function train(options: {
  config: string
  overrides: string[]
  resume?: boolean
  dryRun?: boolean
  profile?: string | boolean
}): Promise<void> {
  const resolved = await resolveTrainConfig({ file: options.config, overrides: options.overrides })
  if (options.dryRun) {
    const memory = await memoryComment(() => predictRunMemory(resolved.config))
    process.stdout.write(`${dryRun(resolved)}\n${stageTable(resolved.config)}\n${memory}\n`)
    return
  }
  const { config } = resolved
  const progress = new ProgressLine(process.stderr, totalSteps(resolveStages(config)))
  const interrupt = interruptSignal(() => progress.line('stopping: saving the last whole step'))
  let last: StepReport | undefined
  try {
    const summary = await runTraining(config, {
      resume: options.resume ?? false,
      profile: options.profile ?? false,
      signal: interrupt.signal,
      onNote: (text) => progress.line(text),
      onProgress: (at) => progress.progress(at),
      onStep: (report) => {
        progress.step(report)
        last = report
      },
    })
    process.stdout.write(`${outcome(summary, last)}\n`)
    if (summary.interrupted) process.exitCode = 130
  } finally {
    interrupt.release()
  }
}

/** What a run came to: samples, accuracy before and after, and where things lie. */
function outcome(summary: RunSummary, last: StepReport | undefined): string {
  const groups =
    last?.evaluations[0]?.answers ?? last?.groups.map((group) => ({ sampled: group, verdicts: group.verdicts })) ?? []
  const percent = (accuracy: number | null) => (accuracy === null ? 'not measured' : accuracy.toFixed(3))
  const samples = summary.config.evaluation.samples
  return [
    ...(groups.length > 0 ? ['', samplesTable(sampleRows(groups, 8), process.stdout.columns), ''] : []),
    `${summary.interrupted ? 'interrupted after' : 'done:'} ${summary.steps} steps in ${duration(summary.seconds)}`,
    ...(summary.config.evaluation.data === undefined
      ? []
      : [
          `accuracy (avg@${samples}, held-out): ${percent(summary.accuracyBefore)} before, ${percent(summary.accuracyAfter)} after`,
        ]),
    '',
    resourceTable(summary.resources),
    '',
    `picture: ${summary.picture}`,
    `model: ${summary.checkpoint ?? 'no checkpoint'}`,
    `run folder: ${summary.output}`,
  ].join('\n')
}
