import { join } from 'node:path'
import type { SftConfig, TrainConfig } from '../config/schema.ts'
import { gibibytes } from '../metrics/resource-report.ts'
import type { Device, ModelShape } from '../native/contract.ts'
import { type MemoryPrediction, predictMemory } from '../policy/memory.ts'
import { modelShape } from '../policy/model-config.ts'
import { readJson } from '../policy/read-json.ts'
import { runSizes } from './run-sizes.ts'
import { type SmallCache, smallCache } from './small-cache.ts'

/** What a run takes, and the cache in it that is too small for one sequence. */
export interface RunMemory extends MemoryPrediction {
  smallCache?: SmallCache | undefined
}

/**
 * What a training run takes at most: of the stage that takes most, with prompts and responses of their full length. What
 * the longest sequence lacks is that of the stage in which it lacks most.
 *
 * @throws NativeError where config.json cannot be used, or the addon is missing
 */
export async function predictRunMemory(config: TrainConfig): Promise<RunMemory> {
  const shape = await shapeOf(config.model)
  const stages = runSizes(config).map((sizes) => predictMemory(shape, sizes))
  const { leastActivations, activationBudget } = most(stages, (each) => each.leastActivations - each.activationBudget)
  return {
    ...most(stages, ({ peak }) => peak),
    ...{ leastActivations, activationBudget, smallCache: smallCache(config, shape) },
  }
}

/** The same of supervised fine-tuning. */
export async function predictSftMemory(config: SftConfig): Promise<MemoryPrediction> {
  const { maxLength, batchSize, maxTokensPerMicroBatch, activationBytes, activationCheckpointing, gradientDtype } =
    config
  const rows = Math.min(maxTokensPerMicroBatch, batchSize * maxLength)
  return predictMemory(await shapeOf(config.model), {
    ...{ device: config.device as Device, dtype: config.dtype, reference: false },
    ...{ sequenceRows: maxLength, sequenceResponses: maxLength, microBatchRows: rows, microBatchResponses: rows },
    ...{ activationBytes, activationCheckpointing, gradientDtype, batchSize: 0, cachedTokens: 0, kvCacheBytes: 0 },
  })
}

/** The prediction on one line, and on others what does not fit. */
export function describeMemory(memory: RunMemory): string {
  const { recomputedLayers: again, leastActivations: least, activationBudget: budget, smallCache: cache } = memory
  const parts = [
    `process ${gibibytes(memory.process)}`,
    `weights ${gibibytes(memory.weights)}`,
    ...(memory.reference > 0 ? [`reference policy ${gibibytes(memory.reference)}`] : []),
    `optimizer ${gibibytes(memory.optimizer)}`,
    `gradients ${gibibytes(memory.gradients)}`,
    `activations ${gibibytes(memory.activations)}${again > 0 ? ` with ${again} layers computed again` : ''}`,
    ...(memory.sampling > 0 ? [`or, while sampling, ${gibibytes(memory.kvCache + memory.sampling)}`] : []),
  ]
  const lines = [
    `memory: at most ${gibibytes(memory.peak)} GiB (${parts.join(', ')}), ${gibibytes(memory.snapshot)} more while a checkpoint is written; ${gibibytes(memory.free)} GiB free`,
  ]
  if (least > budget)
    lines.push(
      `memory: the longest sequence does not fit: it takes ${gibibytes(least)} GiB with every layer computed again, there are ${gibibytes(budget)}; lower maxResponseLength, raise activationBytes, or use dtype bfloat16 or lora`,
    )
  else if (memory.peak - memory.process > memory.free)
    lines.push('memory: that is more than is free; lower maxTokensPerMicroBatch or kvCacheBytes')
  if (cache)
    lines.push(
      `memory: kvCacheBytes is ${cache.kvCacheBytes}: the longest sequence of ${cache.where} takes ${cache.needed}; give at least that, or 0 for half of what is free`,
    )
  return lines.join('\n')
}

async function shapeOf(model: string): Promise<ModelShape> {
  const path = join(model, 'config.json')
  return modelShape((await readJson(path, 'give a Hugging Face model folder')) as Record<string, unknown>, path)
}

function most<T>(all: readonly T[], by: (each: T) => number): T {
  return all.reduce((best, each) => (by(each) > by(best) ? each : best))
}
