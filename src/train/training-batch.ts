import type { AdvantageMask } from '../advantage/group-advantage.ts'
import type { SharedPrompt } from '../metrics/model-flops.ts'
import { isTruncated, type RolloutGroup } from '../rollout/rollout.ts'
import type { Stage } from '../stage/resolve-stages.ts'

/**
 * The tokens of one update: S sequences on one axis of N tokens, packed, never padded. Sequences of one
 * group stand next to each other, so that their prompt is computed once. R response tokens in all.
 */
export interface TrainingBatch {
  /** [N] */
  tokenIds: Int32Array
  /** [S + 1] sequence `s` is `tokenIds[offsets[s] .. offsets[s + 1])` */
  offsets: Int32Array
  /** [S] */
  promptLengths: Int32Array
  /** [S] one a sequence, the same for each of its tokens */
  advantages: Float32Array
  /** [R] log-probs when the tokens were drawn */
  sampledLogprobs: Float32Array
}

/** A prompt and one response to it. */
export interface TrainingSequence {
  promptTokenIds: Int32Array
  completionTokenIds: Int32Array
  /** [completionTokenIds.length] */
  sampledLogprobs: Float32Array
  advantage: number
}

/** The sequences of a group that count in the loss: with a mask on truncated responses, not those. */
export function trainedSequences(group: RolloutGroup, mask: AdvantageMask): TrainingSequence[] {
  return group.rollouts.flatMap((rollout, index) => {
    if (rollout.completionTokenIds.length === 0 || (mask !== 'none' && isTruncated(rollout))) return []
    return {
      promptTokenIds: group.prompt.tokenIds,
      completionTokenIds: rollout.completionTokenIds,
      sampledLogprobs: rollout.sampledLogprobs,
      advantage: group.advantages[index]!,
    }
  })
}

/** Packs sequences, in their order. */
export function packBatch(sequences: readonly TrainingSequence[]): TrainingBatch {
  const sum = (length: (sequence: TrainingSequence) => number) =>
    sequences.reduce((total, sequence) => total + length(sequence), 0)
  const responseTokens = sum(({ completionTokenIds }) => completionTokenIds.length)
  const promptTokens = sum(({ promptTokenIds }) => promptTokenIds.length)
  const batch: TrainingBatch = {
    tokenIds: new Int32Array(promptTokens + responseTokens),
    offsets: new Int32Array(sequences.length + 1),
    promptLengths: new Int32Array(sequences.length),
    advantages: new Float32Array(sequences.length),
    sampledLogprobs: new Float32Array(responseTokens),
  }
  let at = 0
  let response = 0
  for (const [index, sequence] of sequences.entries()) {
    batch.tokenIds.set(sequence.promptTokenIds, at)
    batch.tokenIds.set(sequence.completionTokenIds, at + sequence.promptTokenIds.length)
    batch.sampledLogprobs.set(sequence.sampledLogprobs, response)
    at += sequence.promptTokenIds.length + sequence.completionTokenIds.length
    response += sequence.completionTokenIds.length
    batch.offsets[index + 1] = at
    batch.promptLengths[index] = sequence.promptTokenIds.length
    batch.advantages[index] = sequence.advantage
  }
  return batch
}

/**
 * The groups of each update: as few updates as `promptsPerUpdate` allows, of sizes that differ by one at most, so that no
 * update is that of a few groups alone.
 */
export function updateGroups(kept: readonly RolloutGroup[], promptsPerUpdate: number): RolloutGroup[][] {
  const count = Math.ceil(kept.length / promptsPerUpdate)
  const start = (update: number) => Math.ceil((update * kept.length) / count)
  return Array.from({ length: count }, (_, update) => kept.slice(start(update), start(update + 1)))
}

/** The sequences of all updates of a step, each as often as it is trained on. */
export function trainedPrompts(
  kept: readonly RolloutGroup[],
  { truncation, reuse }: Pick<Stage, 'truncation' | 'reuse'>,
): SharedPrompt[] {
  const once = kept.map((group) => ({
    promptLength: group.prompt.tokenIds.length,
    responseLengths: trainedSequences(group, truncation.advantageMask).map(
      ({ completionTokenIds }) => completionTokenIds.length,
    ),
  }))
  return Array.from({ length: reuse }, () => once).flat()
}

/**
 * What of the groups the loss is a mean over: tokens, or sequences where each sequence weighs the same. Masked responses
 * count below the line only, so a loss times this share is one that they count in.
 */
export function trainedShare(
  groups: readonly RolloutGroup[],
  { truncation, aggregation }: Pick<Stage, 'truncation' | 'aggregation'>,
): number {
  const weight = (sequences: readonly TrainingSequence[]) =>
    aggregation === 'token-mean'
      ? sequences.reduce((sum, { completionTokenIds }) => sum + completionTokenIds.length, 0)
      : sequences.length
  const all = (mask: AdvantageMask) => groups.flatMap((group) => trainedSequences(group, mask))
  return weight(all(truncation.advantageMask)) / weight(all('none'))
}
