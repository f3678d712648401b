import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { changedKeys } from '../config/changed-keys.ts'
import { ConfigError } from '../config/config-error.ts'
import type { TrainConfig } from '../config/schema.ts'
import { loadTrainConfig } from '../config/train-config.ts'
import { writeAtomic } from '../metrics/atomic-write.ts'
import { RunFolder } from '../metrics/run-folder.ts'
import { resolveStages, totalSteps } from '../stage/resolve-stages.ts'
import { type RunOptions, type RunSummary, runTraining } from '../train/run.ts'
import { comparisonPicture } from './comparison-picture.ts'
import { comparisonTable } from './comparison-table.ts'
import type { Study, Variant } from './studies.ts'
import type { VariantRun } from './variant-run.ts'

export interface StudyOptions {
  signal?: AbortSignal
  /** Settings of every variant, on top of the file, as on the command line. */
  overrides?: readonly string[]
  /** What a variant's run reports. */
  reporter: (variant: Variant, steps: number) => Pick<RunOptions, 'onStep' | 'onProgress' | 'onNote'>
}

/** What a study leaves. */
export interface StudyOutcome {
  /** Path of the picture, SVG. */
  picture: string
  /** Path of the table, Markdown. */
  table: string
  text: string
}

/**
 * Runs the variants of a study one after another, each in a folder of its own under `output` of the base config, and
 * compares them. What is done already is not done again, and a variant that was stopped goes on from its checkpoint.
 *
 * @returns undefined where the signal ended it
 * @throws ConfigError where the base has stages, or a variant was run, or begun, with other settings
 */
export async function runStudy(study: Study, file: string, options: StudyOptions): Promise<StudyOutcome | undefined> {
  const { overrides = [], signal, reporter } = options
  const base = await loadTrainConfig({ file, overrides })
  const folder = join(base.output, study.name)
  const variants = study.variants(base)
  if (base.stages && variants.some((variant) => variant.overrides.length > 0))
    throw new ConfigError(
      `'stages': expected none in the base of study ${study.name}, as a stage sets anew what its variants change`,
    )
  const runs: VariantRun[] = []
  for (const variant of variants) {
    const output = join(folder, variant.name)
    const config = await loadTrainConfig({
      file,
      overrides: [...overrides, ...variant.overrides, `output=${JSON.stringify(output)}`],
    })
    const run = new RunFolder(output)
    const begun = await run.readConfig()
    if (begun !== undefined) requireSame(begun, config)
    let summary = await completeSummary(output)
    if (!summary) {
      const steps = totalSteps(resolveStages(config))
      const resume = begun !== undefined
      summary = await runTraining(config, { resume, ...(signal && { signal }), ...reporter(variant, steps) })
      if (summary.interrupted) return undefined
    }
    runs.push({ variant, summary, lines: await run.metrics.read() })
  }
  const [picture, table] = [join(folder, 'study.svg'), join(folder, 'study.md')]
  const text = comparisonTable(study, runs)
  await writeAtomic(picture, comparisonPicture(study, runs))
  await writeAtomic(table, text)
  return { picture, table, text }
}

/** What was run with other settings tells nothing of the variants that are run with these. */
function requireSame(begun: string, config: TrainConfig): void {
  const [change] = changedKeys(begun, config, ['output', 'checkpointEvery', 'keepCheckpoints'])
  if (change !== undefined)
    throw new ConfigError(
      `${config.output} was begun with another setting: ${change}; give that again, or remove the folder to run it anew`,
    )
}

async function completeSummary(output: string): Promise<RunSummary | undefined> {
  const text = await readFile(join(output, 'summary.json'), 'utf8').catch(() => undefined)
  const summary = text === undefined ? undefined : (JSON.parse(text) as RunSummary)
  return summary?.interrupted === false ? summary : undefined
}
