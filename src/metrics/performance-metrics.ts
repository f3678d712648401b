import type { StepStats } from '../policy/policy.ts'
import type { RolloutGroup } from '../rollout/rollout.ts'
import type { RolloutCounts } from '../rollout/rollout-counts.ts'
import type { ModelFlops, SharedPrompt } from './model-flops.ts'
import type { Stopwatch } from './stopwatch.ts'

/** What a step computed, to be held against the time that it took. */
export interface StepWork {
  groups: readonly RolloutGroup[]
  counts: RolloutCounts
  updates: readonly StepStats[]
  /** The sequences of all updates, each as often as it was trained on. */
  trained: readonly SharedPrompt[]
  flops: ModelFlops
  /** Floating point operations a second that the device does at best. */
  peakFlops: number
}

/**
 * Tokens a second, utilisation and memory of a step, and what its rollouts shared and computed again. Tokens are counted as verl counts them, prompt and response of each
 * sequence on its own, but `tokens_per_second_rollout`, which are sampled tokens; `mfu` are the operations of
 * `ModelFlops` against what the device would do in the same seconds.
 */
export function performanceMetrics(
  clock: Stopwatch,
  { groups, counts, updates, trained, flops, peakFlops }: StepWork,
): Record<string, number> {
  const sampled = groups.map(({ prompt, rollouts }) => ({
    promptLength: prompt.tokenIds.length,
    responseLengths: rollouts.map(({ completionTokenIds }) => completionTokenIds.length),
  }))
  const updateSeconds = updates.reduce((sum, { seconds }) => sum + seconds, 0)
  const stepSeconds = ['rollout', 'verify', 'update'].reduce((sum, phase) => sum + clock.seconds(phase), 0)
  const total = (sequences: readonly SharedPrompt[], count: (each: SharedPrompt) => number) =>
    sequences.reduce((sum, each) => sum + count(each), 0)
  const last = updates.at(-1)
  const rate = (amount: number, seconds: number) => (seconds === 0 ? 0 : amount / seconds)
  return {
    ...counts.metrics(),
    'perf/tokens_per_second': rate(total(sampled, tokens), stepSeconds),
    'perf/tokens_per_second_rollout': rate(total(sampled, responseTokens), clock.seconds('rollout')),
    'perf/tokens_per_second_update': rate(total(trained, tokens), updateSeconds),
    'perf/mfu': rate(
      total(trained, (each) => flops.update(each)),
      updateSeconds * peakFlops,
    ),
    'perf/mfu_rollout': rate(
      total(sampled, (each) => flops.rollout(each)),
      clock.seconds('rollout') * peakFlops,
    ),
    'perf/peak_flops': peakFlops,
    'perf/activation_bytes': Math.max(0, ...updates.map(({ activationBytes }) => activationBytes)),
    'perf/recomputed_layers': Math.max(0, ...updates.map(({ recomputedLayers }) => recomputedLayers)),
    // Only an update measures it where the policy lives: the host's memory would say nothing of a device.
    ...(last && { 'perf/peak_memory_bytes': last.peakMemoryBytes }),
  }
}

function responseTokens({ responseLengths }: SharedPrompt): number {
  return responseLengths.reduce((sum, length) => sum + length, 0)
}

function tokens(sequences: SharedPrompt): number {
  return sequences.promptLength * sequences.responseLengths.length + responseTokens(sequences)
}
