import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { newestCheckpoint, type RunCheckpoint, stepName } from '../checkpoint/run-checkpoint.ts'
import { ConfigError } from '../config/config-error.ts'
import { formatConfig } from '../config/format.ts'
import type { EvaluationResult } from '../evaluate/evaluate.ts'
import type { RolloutGroup } from '../rollout/rollout.ts'
import type { StageTransition } from '../stage/stage-scheduler.ts'
import { removeTemporaries, writeAtomic } from './atomic-write.ts'
import { JsonLines } from './json-lines.ts'
import { drawCurves } from './picture.ts'
import { rolloutLines } from './rollout-records.ts'
import type { Metrics } from './step-metrics.ts'

/** One line of evaluation.jsonl; step 0 is before the training. */
export type EvaluationLine = { step: number; set: string } & Omit<EvaluationResult, 'name' | 'answers'>

/** What tells a folder that a run has begun in from any other. */
export const runFiles = ['metrics.jsonl', 'evaluation.jsonl', 'checkpoints']

/**
 * Everything that a run leaves on disk:
 *
 *     config.yaml  metrics.jsonl  stages.jsonl  evaluation.jsonl  rollouts/step-000001.jsonl
 *     checkpoints/step-000001/  curves.svg  summary.json
 */
export class RunFolder {
  readonly path: string
  readonly metrics: JsonLines<Metrics>
  /** The stages after the first, each with its first step. */
  readonly stages: JsonLines<StageTransition>
  readonly evaluations: JsonLines<EvaluationLine>

  constructor(path: string) {
    this.path = path
    this.metrics = new JsonLines(join(path, 'metrics.jsonl'))
    this.stages = new JsonLines(join(path, 'stages.jsonl'))
    this.evaluations = new JsonLines(join(path, 'evaluation.jsonl'))
  }

  get profilePath(): string {
    return join(this.path, 'profile.json')
  }

  get checkpoints(): string {
    return join(this.path, 'checkpoints')
  }

  /** Throws where the folder already holds a run, which a new one must not mix with. */
  async requireUnused(): Promise<void> {
    const names: string[] = await readdir(this.path).catch(() => [])
    const taken = runFiles.find((name) => names.includes(name))
    if (taken === undefined) return
    throw new ConfigError(
      `'output': ${this.path} already holds a run (${taken}); go on with it by --resume, or give another folder, as output=${this.path}-2`,
    )
  }

  async newestCheckpoint(): Promise<RunCheckpoint | undefined> {
    return newestCheckpoint(this.checkpoints)
  }

  /** The config of the run that is already there, as text. */
  async readConfig(): Promise<string | undefined> {
    return readFile(join(this.path, 'config.yaml'), 'utf8').catch(() => undefined)
  }

  async writeConfig(config: object): Promise<void> {
    await writeAtomic(join(this.path, 'config.yaml'), formatConfig(config))
  }

  async writeRollouts(step: number, groups: readonly RolloutGroup[]): Promise<void> {
    const lines = rolloutLines(step, groups).map((line) => `${JSON.stringify(line)}\n`)
    await writeAtomic(join(this.path, 'rollouts', `${stepName(step)}.jsonl`), lines.join(''))
  }

  /** Adds to the line of the last step, where that is `step`. */
  async addToStep(step: number, metrics: Readonly<Record<string, number>>): Promise<void> {
    const lines = await this.metrics.read()
    if (lines.at(-1)?.step === step) await this.metrics.rewrite(lines.with(-1, { ...lines.at(-1)!, ...metrics }))
  }

  /**
   * Drops all that is past `step`, and files half-written: a resumed run does those steps again. Where the step is not
   * `evaluated` as far as its checkpoint knows, its evaluation goes too.
   */
  async truncateAfter(step: number, evaluated = true): Promise<void> {
    await this.metrics.truncateAfter(step)
    await this.stages.truncateAfter(step)
    await this.evaluations.truncateAfter(evaluated ? step : step - 1)
    const rollouts = join(this.path, 'rollouts')
    for (const folder of [this.path, rollouts]) await removeTemporaries(folder)
    for (const name of await readdir(rollouts).catch(() => []))
      if (Number(/^step-(\d+)\.jsonl$/.exec(name)?.[1] ?? 0) > step) await rm(join(rollouts, name))
  }

  /** Draws curves.svg from metrics.jsonl and returns its path. */
  async writePicture(title: string): Promise<string> {
    const path = join(this.path, 'curves.svg')
    await writeAtomic(path, drawCurves(await this.metrics.read(), { title }))
    return path
  }

  async writeSummary(summary: object): Promise<string> {
    const path = join(this.path, 'summary.json')
    await writeAtomic(path, `${JSON.stringify(summary, null, 2)}\n`)
    return path
  }
}
