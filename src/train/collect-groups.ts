import type { Prompt } from '../data/prompt.ts'
import type { PromptStream } from '../data/prompt-stream.ts'
import type { Stopwatch } from '../metrics/stopwatch.ts'
import type { RolloutGroup, Sampled } from '../rollout/rollout.ts'
import type { Stage } from '../stage/resolve-stages.ts'

/** How prompts become graded groups. */
export interface Collection {
  stage: Pick<Stage, 'promptsPerStep' | 'rejection'>
  stream: Pick<PromptStream, 'next' | 'remaining'>
  /** Responses to prompts, each group handed on once it is there. `round` counts from 0; each has its own random streams. */
  rollout: (
    prompts: readonly Prompt[],
    round: number,
    onGroup: (group: Sampled, index: number) => void,
  ) => Promise<unknown>
  grade: (sampled: Sampled) => Promise<RolloutGroup>
  clock: Stopwatch
}

/**
 * The groups of one step, rejected ones included: `promptsPerStep`, or with `rejection.refill` as many as it takes for
 * that many to be kept (dynamic sampling), up to `rejection.maxPrompts`. A group is verified while others are still sampled. Fewer where the stream ends.
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
    const graded: Promise<RolloutGroup>[] = []
    const onGroup = (sampled: Sampled, index: number) => {
      graded[index] = grade(sampled)
      // Where the rollout fails nobody waits for the grades.
      graded[index].catch(() => {})
    }
    await clock.time('rollout', () => rollout(stream.next(count), round, onGroup))
    groups.push(...(await clock.time('verify', () => Promise.all(graded))))
  }
}
