import type { RecipeConfig } from '../config/recipe-schema.ts'
import type { Policy, StepStats } from '../policy/policy.ts'
import type { RolloutGroup } from '../rollout/rollout.ts'
import { updateBatches } from './training-batch.ts'

/** N_SGD: optimizer steps of one training step; on-policy if and only if it is 1. */
export function updatesPerStep({ promptsPerStep, promptsPerUpdate = promptsPerStep, reuse }: RecipeConfig): number {
  return (promptsPerStep / promptsPerUpdate) * reuse
}

/** What the optimizer steps of one training step need beside their config. */
export interface UpdateOptions {
  config: RecipeConfig
  learningRate: number
  /** alpha_k of this step. */
  entropyCoefficient: number
  /** Needed where klCoefficient > 0. */
  referencePolicy?: Pick<Policy, 'score'> | undefined
  signal?: AbortSignal | undefined
  /** Called once the weights have changed, after each optimizer step. */
  onUpdate?: (() => void) | undefined
}

/**
 * The optimizer steps over the kept groups of one training step (Skywork-OR1, eq 3.1): `promptsPerUpdate` groups
 * each, `reuse` passes. On-policy the ratio is exactly 1; else it divides by the log-probs of the sampler.
 *
 * @returns one record an optimizer step; none where no group was kept
 */
export async function updatePolicy(
  policy: Pick<Policy, 'trainStep'>,
  kept: readonly RolloutGroup[],
  { config, learningRate, entropyCoefficient, referencePolicy, signal, onUpdate }: UpdateOptions,
): Promise<StepStats[]> {
  const { temperature, clipLow, clipHigh, klCoefficient, maxTokensPerMicroBatch, activationCheckpointing } = config
  const { promptsPerUpdate = config.promptsPerStep, betas, epsilon, weightDecay, maxGradNorm } = config
  const { dualClip, ratioLevel, importanceSamplingCap, aggregation } = config
  const { aggregationConstant = config.maxResponseLength } = config
  const loss = {
    ...{ temperature, clipLow, clipHigh, dualClip, ratioLevel, importanceSamplingCap },
    ...{ aggregation, aggregationConstant, klCoefficient, entropyCoefficient },
  }
  const optimizer = { learningRate, betas, epsilon, weightDecay, maxGradNorm }
  const onPolicy = updatesPerStep(config) === 1

  const batches = []
  for (const { sampledLogprobs, ...batch } of updateBatches(kept, promptsPerUpdate, config.truncation.advantageMask)) {
    const { tokenIds, offsets, promptLengths } = batch
    const score = { temperature, maxTokensPerMicroBatch, ...(signal && { signal }) }
    const reference =
      klCoefficient > 0 ? await referencePolicy?.score({ tokenIds, offsets, promptLengths }, score) : undefined
    batches.push({
      ...batch,
      samplerLogprobs: sampledLogprobs,
      ...(!onPolicy && { oldLogprobs: sampledLogprobs }),
      ...(reference && { referenceLogprobs: reference.logprobs }),
    })
  }

  const updates: StepStats[] = []
  for (let pass = 0; pass < config.reuse; pass++)
    for (const batch of batches) {
      // Once an update has changed the weights the step is carried to its end, so that what is saved is a whole step.
      const abortable = signal && updates.length === 0 ? { signal } : {}
      const options = { ...loss, ...optimizer, maxTokensPerMicroBatch, activationCheckpointing, ...abortable }
      updates.push(await policy.trainStep(batch, options))
      onUpdate?.()
    }
  return updates
}
