import { join } from 'node:path'
import { recipeOf } from '../config/recipe.ts'
import type { SftConfig, TrainConfig } from '../config/schema.ts'
import { gibibytes } from '../metrics/resource-report.ts'
import type { Device, ModelShape } from '../native/contract.ts'
import { type MemoryPrediction, predictMemory, type RunSizes } from '../policy/memory.ts'
import { modelShape } from '../policy/model-config.ts'
import { readJson } from '../policy/read-json.ts'
import { resolveStages, type Stage } from '../stage/resolve-stages.ts'

/** A cache's blocks are whole: what the last one of a sequence may hold unused, tokens. */
const blockRest = 15

/**
 * What a training run takes at most: of the stage that takes most, with prompts and responses of their full length.
 *
 * @throws NativeError where config.json cannot be used, or the addon is missing
 */
export async function predictRunMemory(config: TrainConfig): Promise<MemoryPrediction> {
  const shape = await shapeOf(config.model)
  const predictions = resolveStages(recipeOf(config)).map((stage) => predictMemory(shape, stageSizes(config, stage)))
  return predictions.reduce((most, each) => (each.peak > most.peak ? each : most))
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

/** The prediction on one line, and on a second one what does not fit. */
export function describeMemory(memory: MemoryPrediction): string {
  const { recomputedLayers: again, leastActivations: least, activationBudget: budget } = memory
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
  return lines.join('\n')
}

async function shapeOf(model: string): Promise<ModelShape> {
  const path = join(model, 'config.json')
  return modelShape((await readJson(path, 'give a Hugging Face model folder')) as Record<string, unknown>, path)
}

function stageSizes(config: TrainConfig, stage: Stage): RunSizes {
  const { maxPromptLength: prompt, evaluation } = config
  const { promptsPerStep, promptsPerUpdate = promptsPerStep, groupSize, maxResponseLength: response } = stage
  const {
    maxTokensPerMicroBatch,
    activationBytes,
    activationCheckpointing,
    gradientDtype,
    maxBatchSize,
    kvCacheBytes,
  } = stage
  const rows = Math.min(maxTokensPerMicroBatch, promptsPerUpdate * (prompt + groupSize * (response - 1)))
  const cached = (sequences: number, samples: number, length: number) =>
    sequences * (length + blockRest) + Math.ceil(sequences / samples) * (prompt + blockRest)
  const sampled = Math.min(maxBatchSize, promptsPerStep * groupSize)
  const evaluated =
    evaluation.data === undefined
      ? 0
      : cached(maxBatchSize, evaluation.samples, evaluation.maxResponseLength ?? config.maxResponseLength)
  return {
    ...{ device: config.device as Device, dtype: config.dtype, lora: config.lora },
    reference: stage.klCoefficient > 0 && !config.lora,
    ...{ sequenceRows: prompt + response - 1, sequenceResponses: response },
    // A prompt's last row predicts the first token of each response.
    ...{
      microBatchRows: rows,
      microBatchResponses: Math.min(promptsPerUpdate * groupSize * response, rows + groupSize),
    },
    ...{ activationBytes, activationCheckpointing, gradientDtype, kvCacheBytes },
    batchSize: evaluated > 0 ? maxBatchSize : sampled,
    cachedTokens: Math.max(cached(sampled, groupSize, response), evaluated),
  }
}
