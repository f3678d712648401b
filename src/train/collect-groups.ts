import type { Prompt } from '../data/prompt.ts'
import type { PromptStream } from '../data/prompt-stream.ts'
import type { Stopwatch } from '../metrics/stopwatch.ts'
import type { RolloutGroup, Sampled } from '../rollout/rollout.ts'
import type { Stage } from '../stage/resolve-stages.ts'

/** How prompts become graded groups. */
export interface Collection {
  stage: Pick<Stage, 'promptsPerStep' | 'rejection'>
  stream: Pick<PromptStream, 'next' | 'remaining'>
  /** `round` counts from 0; each has random streams of its own. */
  rollout: (prompts: readonly Prompt[], round: number) => Promise<Sampled[]>
  grade: (sampled: readonly Sampled[]) => Promise<RolloutGroup[]>
  clock: Stopwatch
}

/**
 * The groups of one step, rejected ones included: `promptsPerStep`, or with `rejection.refill` as many as it takes for
 * that many to be kept (dynamic sampling), up to `rejection.maxPrompts`. Fewer where the stream ends.
 */
export async function collectGroups(collection: Collection): Promise<RolloutGroup[]> {
  const { stage, stream, rollout, grade, clock } = collection
  const { promptsPerStep, rejection } = stage
  const limit = rejection.refill ? (rejection.maxPrompts ?? 4 * promptsPerStep) : promptsPerStep
  const groups: RolloutGroup[] = []
  for (let round = 0; ; round++) {
    const missing = promptsPerStep - groups.filter(({ rejected }) => !rejected).length
    const count = Math.min(missing, limit - groups.length, stream.remaining)
    if (count <= 0) return groups
    const sampled = await clock.time('rollout', () => rollout(stream.next(count), round))
    groups.push(...(await clock.time('verify', () => grade(sampled))))
  }
}
