import { recipeOf } from '../config/recipe.ts'
import type { TrainConfig } from '../config/schema.ts'
import type { ModelShape } from '../native/contract.ts'
import { cacheBytes } from '../rollout/kv-cache.ts'
import { resolveStages } from '../stage/resolve-stages.ts'

/** A kvCacheBytes that does not hold the longest sequence, for which sampling fails. */
export interface SmallCache {
  /** `stage 2` or `the evaluation` */
  where: string
  kvCacheBytes: number
  /** bytes of that sequence's keys and values */
  needed: number
}

/** The cache that is too small for one sequence of the run, by the most needed; undefined where each holds its longest. */
export function smallCache(config: TrainConfig, shape: ModelShape): SmallCache | undefined {
  const { maxPromptLength, evaluation } = config
  const stages = resolveStages(recipeOf(config))
  const caches = stages.map(({ kvCacheBytes, maxResponseLength }, index) => ({
    ...{ where: stages.length === 1 ? 'the run' : `stage ${index + 1}`, kvCacheBytes, maxResponseLength },
  }))
  if (evaluation.data !== undefined)
    caches.push({
      ...{ where: 'the evaluation', kvCacheBytes: config.kvCacheBytes },
      maxResponseLength: evaluation.maxResponseLength ?? config.maxResponseLength,
    })
  return (
    caches
      // The last token of a response is never in the cache.
      .map(({ where, kvCacheBytes, maxResponseLength }) => ({
        ...{ where, kvCacheBytes, needed: cacheBytes(shape, config.dtype, maxPromptLength + maxResponseLength - 1) },
      }))
      .filter(({ kvCacheBytes, needed }) => kvCacheBytes > 0 && kvCacheBytes < needed)
      .toSorted((a, b) => b.needed - a.needed)[0]
  )
}
