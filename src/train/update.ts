import type { Policy, StepStats } from '../policy/policy.ts'
import type { RolloutGroup } from '../rollout/rollout.ts'
import type { Stage } from '../stage/resolve-stages.ts'
import { warnOfMemoryRetries } from './memory-retries.ts'
import { packBatch, trainedSequences, trainedShare, updateGroups } from './training-batch.ts'

/** N_SGD: optimizer steps of one training step; on-policy if and only if it is 1. */
export function updatesPerStep({
  promptsPerStep,
  promptsPerUpdate = promptsPerStep,
  reuse,
}: Pick<Stage, 'promptsPerStep' | 'promptsPerUpdate' | 'reuse'>): number {
  return (promptsPerStep / promptsPerUpdate) * reuse
}

/** What the optimizer steps of one training step need beside their stage. */
export interface UpdateOptions {
  stage: Stage
  learningRate: number
  /** alpha_k of this step. */
  entropyCoefficient: number
  /** Needed where klCoefficient > 0. */
  referencePolicy?: Pick<Policy, 'score'> | undefined
  signal?: AbortSignal | undefined
  /** Called once the weights have changed, after each optimizer step. */
  onUpdate?: (() => void) | undefined
  onWarning?: ((text: string) => void) | undefined
}

/**
 * The optimizer steps over the kept groups of one training step (Skywork-OR1, eq 3.1): `promptsPerUpdate` groups
 * each, `reuse` passes. On-policy the ratio is exactly 1 and no second forward is run; else it divides by the log-probs of
 * the sampler, or by those of a forward before the first update.
 *
 * @returns one record an optimizer step; none where no group was kept
 */
export async function updatePolicy(
  policy: Pick<Policy, 'trainStep' | 'score'>,
  kept: readonly RolloutGroup[],
  { stage, learningRate, entropyCoefficient, referencePolicy, signal, onUpdate, onWarning }: UpdateOptions,
): Promise<StepStats[]> {
  const { temperature, clipLow, clipHigh, klCoefficient } = stage
  const { maxTokensPerMicroBatch, activationBytes, activationCheckpointing, gradientDtype } = stage
  const { promptsPerUpdate = stage.promptsPerStep, betas, epsilon, weightDecay, maxGradNorm } = stage
  const { dualClip, ratioLevel, importanceSamplingCap, aggregation } = stage
  const { aggregationConstant = stage.maxResponseLength } = stage
  const loss = {
    ...{ temperature, clipLow, clipHigh, dualClip, ratioLevel, importanceSamplingCap },
    ...{ aggregation, aggregationConstant, klCoefficient, entropyCoefficient },
  }
  const optimizer = { learningRate, betas, epsilon, weightDecay, maxGradNorm }
  const { advantageMask, countMasked } = stage.truncation
  const onPolicy = updatesPerStep(stage) === 1

  const batches = []
  for (const groups of updateGroups(kept, promptsPerUpdate)) {
    const { sampledLogprobs, ...batch } = packBatch(groups.flatMap((group) => trainedSequences(group, advantageMask)))
    const { tokenIds, offsets, promptLengths } = batch
    const score = { temperature, maxTokensPerMicroBatch, activationBytes, ...(signal && { signal }) }
    const scored = async (scorer: Pick<Policy, 'score'>) => {
      const scores = await scorer.score({ tokenIds, offsets, promptLengths }, score)
      warnOfMemoryRetries('scoring', scores, onWarning)
      return scores
    }
    const recomputed = !onPolicy && stage.oldLogprobs === 'recomputed' ? await scored(policy) : undefined
    const reference = klCoefficient > 0 && referencePolicy ? await scored(referencePolicy) : undefined
    const lossScale = countMasked ? trainedShare(groups, stage) : 1
    batches.push({
      lossScale,
      batch: {
        ...batch,
        samplerLogprobs: sampledLogprobs,
        ...(!onPolicy && { oldLogprobs: recomputed?.logprobs ?? sampledLogprobs }),
        ...(reference && { referenceLogprobs: reference.logprobs }),
      },
    })
  }

  const updates: StepStats[] = []
  for (let pass = 0; pass < stage.reuse; pass++)
    for (const { batch, lossScale } of batches) {
      // Once an update has changed the weights the step is carried to its end, so that what is saved is a whole step.
      const abortable = signal && updates.length === 0 ? { signal } : {}
      const options = {
        ...loss,
        lossScale,
        ...optimizer,
        maxTokensPerMicroBatch,
        activationBytes,
        activationCheckpointing,
        gradientDtype,
        ...abortable,
      }
      const stats = await policy.trainStep(batch, options)
      updates.push(stats)
      onUpdate?.()
      warnOfMemoryRetries('an update', stats, onWarning)
    }
  return updates
}
