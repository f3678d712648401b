import { recipeOf } from '../config/recipe.ts'
import type { TrainConfig } from '../config/schema.ts'
import type { Device } from '../native/contract.ts'
import type { RunSizes } from '../policy/memory.ts'
import { BLOCK_SLOTS } from '../rollout/kv-cache.ts'
import { resolveStages, type Stage } from '../stage/resolve-stages.ts'

/** Of a cache's blocks, which are whole: what the last one of a sequence may hold unused, tokens. */
const blockRest = BLOCK_SLOTS - 1

/** Each stage of a run at its largest, with prompts and responses of their full length. */
export function runSizes(config: TrainConfig): RunSizes[] {
  const stages = resolveStages(recipeOf(config))
  // Once loaded, a reference policy stays until the run's end.
  const first = stages.findIndex(({ klCoefficient }) => klCoefficient > 0)
  return stages.map((stage, index) => stageSizes(config, stage, first >= 0 && index >= first))
}

function stageSizes(config: TrainConfig, stage: Stage, reference: boolean): RunSizes {
  const { maxPromptLength: prompt, evaluation } = config
  const { promptsPerStep, promptsPerUpdate = promptsPerStep, groupSize, maxResponseLength: response } = stage
  const { maxTokensPerMicroBatch, activationBytes, activationCheckpointing, gradientDtype } = stage
  const { maxBatchSize, kvCacheBytes } = stage
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
    reference: reference && !config.lora,
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
