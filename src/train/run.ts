import { basename } from 'node:path'
import { changedKeys } from '../config/changed-keys.ts'
import { recipeOf } from '../config/recipe.ts'
import type { TrainConfig } from '../config/schema.ts'
import { type DroppedRows, describeDropped } from '../data/load-prompts.ts'
import { type ResourceReport, resourceReport } from '../metrics/resource-report.ts'
import { RunFolder } from '../metrics/run-folder.ts'
import type { Device } from '../native/contract.ts'
import { Policy } from '../policy/policy.ts'
import { describeStage, describeTransition } from '../stage/describe-stage.ts'
import { resolveStages } from '../stage/resolve-stages.ts'
import { Tokenizer } from '../tokenizer/tokenizer.ts'
import { loadVerifier } from '../verify/load-verifier.ts'
import { LateReference } from './reference.ts'
import { loadRunEvaluation, loadRunPrompts } from './run-data.ts'
import { describeMemory, predictRunMemory } from './run-memory.ts'
import { type RunResult, type StepReport, Trainer, type TrainerProgress } from './trainer.ts'

/** summary.json. */
export interface RunSummary extends RunResult {
  model: string
  output: string
  /** Path of curves.svg, absolute. */
  picture: string
  /** Path of the newest checkpoint: a Hugging Face folder. */
  checkpoint: string | null
  /** Prompts trained on, and rows left out. */
  prompts: number
  dropped: DroppedRows
  /** Where the time went, over all steps of the run. */
  resources: ResourceReport
  config: TrainConfig
}

export interface RunOptions {
  /** Go on from the newest checkpoint of `config.output`. */
  resume?: boolean
  signal?: AbortSignal
  onStep?: (report: StepReport) => void
  onProgress?: (progress: TrainerProgress) => void
  /** Writes a Chrome trace of one step: to this path, or where it is true to profile.json in the run folder (docs/profiling.md). */
  profile?: string | boolean
  /** A line worth showing: what was loaded, from where the run goes on. */
  onNote?: (text: string) => void
}

/**
 * A whole run from its config: loads model, tokenizer, prompts and verifier, trains, and leaves the run folder with
 * summary.json and curves.svg.
 *
 * @throws ConfigError where the output folder already holds a run and `resume` is not set, or two files of
 *   `evaluation.data` have the same name
 */
export async function runTraining(config: TrainConfig, options: RunOptions = {}): Promise<RunSummary> {
  const note = options.onNote ?? (() => {})
  const folder = new RunFolder(config.output)
  const before = options.resume ? await folder.readConfig() : undefined
  if (!options.resume) await folder.requireUnused()
  for (const change of before === undefined ? [] : changedKeys(before, config)) note(`config differs: ${change}`)
  const checkpoint = options.resume ? await folder.newestCheckpoint() : undefined
  if (options.resume)
    note(checkpoint ? `resuming after step ${checkpoint.state.step}` : 'no checkpoint yet: starting from the beginning')

  const tokenizer = await Tokenizer.load(config.model)
  const verifier = await loadVerifier(config.verifier, process.cwd(), config)
  const { prompts, dropped } = await loadRunPrompts(config, tokenizer)
  const evaluation = await loadRunEvaluation(config, tokenizer, note)
  // Each prompt has its verifier before hours of training show that one has not.
  for (const prompt of [...prompts, ...(evaluation?.sets ?? []).flatMap((set) => set.prompts)])
    verifier.forPrompt?.(prompt)
  const compute = { device: config.device as Device, dtype: config.dtype }
  const memory = await predictRunMemory(config)
  note(describeMemory(memory))
  // A resumed run loads the model too: the checkpoint's optimizer file holds the float32 weights, and what `save`
  // copies beside the weights comes from a folder that no pruning removes.
  const policy = await Policy.load(config.model, {
    ...compute,
    ...(config.lora && { lora: { ...config.lora, seed: config.seed } }),
  })
  const recipe = recipeOf(config)
  const stages = resolveStages(recipe)
  const divergence = stages.some(({ klCoefficient }) => klCoefficient > 0)
  const referencePolicy =
    divergence && !config.lora ? new LateReference(() => Policy.load(config.model, compute)) : undefined
  note(`${describePrompts(prompts.length, dropped)}, ${config.device} ${config.dtype}`)
  for (const [index, stage] of stages.entries()) note(describeStage(stage, index + 1, stages.length))
  try {
    const trainer = new Trainer({
      ...{ policy, tokenizer, prompts, verifier, output: config.output, settings: config, config: recipe },
      epochs: config.data.epochs,
      ...(referencePolicy && { referencePolicy }),
      ...(evaluation && { evaluation }),
      onStage: (transition) => note(describeTransition(transition)),
      onWarning: note,
      ...(options.profile && { profile: options.profile === true ? folder.profilePath : options.profile }),
      ...(options.onStep && { onStep: options.onStep }),
      ...(options.onProgress && { onProgress: options.onProgress }),
    })
    if (options.resume) await trainer.resume(checkpoint)
    const result = await trainer.run(options.signal)
    const planned = stages.reduce((sum, { steps }) => sum + steps, 0)
    if (config.data.epochs !== undefined && !result.interrupted && result.steps < planned)
      note(
        `ended after ${result.steps} of ${planned} steps: prompts used up (data.epochs ${config.data.epochs}) or converged`,
      )
    const picture = await folder.writePicture(`${basename(config.model)}: ${basename(config.output)}`)
    const summary: RunSummary = {
      ...result,
      ...{ model: config.model, output: config.output, picture },
      checkpoint: (await folder.newestCheckpoint())?.path ?? null,
      ...{ prompts: prompts.length, dropped, config },
      resources: resourceReport(await folder.metrics.read(), memory.peak),
    }
    await folder.writeSummary(summary)
    return summary
  } finally {
    policy.dispose()
    await referencePolicy?.dispose()
  }
}

function describePrompts(prompts: number, dropped: DroppedRows): string {
  const left = describeDropped(dropped)
  return `${prompts} prompts${left === '' ? '' : ` (${left} dropped)`}`
}
