/** The records of `predictMemory`. */

import type { Device, DType, NativeLora } from './contract.ts'

/** A run at its largest, of which nothing is there yet. */
export interface NativeRunSizes {
  device: Device
  dtype: DType
  lora?: NativeLora
  /** a second copy of the weights scores */
  reference: boolean
  /** rows of the longest sequence that go through the layers, and its response tokens */
  sequenceRows: number
  sequenceResponses: number
  /** the same of the largest micro-batch that maxTokensPerMicroBatch allows */
  microBatchRows: number
  microBatchResponses: number
  /** 0: most of what is free */
  activationBytes: number
  activationCheckpointing: boolean
  gradientDtype: DType
  /** sequences sampled at once; 0: none are */
  batchSize: number
  /** tokens of all of them in the cache, what they share counted once */
  cachedTokens: number
  /** 0: half of what is free */
  kvCacheBytes: number
}

/** Bytes that a run takes. */
export interface NativeMemoryPrediction {
  /** at most, but for `snapshot`: of the rollout and the update that take turns, the larger */
  peak: number
  /** resident now (CPU) */
  process: number
  /** in the compute type, adapters included */
  weights: number
  /** of a reference policy */
  reference: number
  /** both moments, and in bfloat16 what the weights lack to their float32 masters */
  optimizer: number
  /** while an update is computed; on the CPU, where no layers are computed again, also between updates */
  gradients: number
  /** of the largest micro-batch, head included */
  activations: number
  /** layers that its backward computes again */
  recomputedLayers: number
  kvCache: number
  /** what sampling takes beside the cache */
  sampling: number
  /** more, while a checkpoint is written and updates go on */
  snapshot: number
  /** free now */
  free: number
  /** the fewest of the longest sequence, every layer computed again and few logits at once, and what there is for it */
  leastActivations: number
  activationBudget: number
}
