import type { Profile } from '../metrics/profile.ts'
import type { Stopwatch } from '../metrics/stopwatch.ts'
import type { LocalEngine } from '../rollout/local-engine.ts'
import type { RolloutGroup } from '../rollout/rollout.ts'
import type { RolloutCounts } from '../rollout/rollout-counts.ts'
import type { Verifier } from '../verify/verifier.ts'
import { type Collection, collectGroups } from './collect-groups.ts'
import { grade } from './grade.ts'
import type { RunPosition } from './run-position.ts'
import type { TrainerOptions } from './trainer-options.ts'

/** What is filled while groups are collected. */
interface Measures {
  clock: Stopwatch
  counts: RolloutCounts
  profile: Profile | undefined
}

/** Turns the next prompts of a run into graded groups of responses. */
export class GroupCollector {
  readonly #engine: Pick<LocalEngine, 'rollout'>
  readonly #verifier: Pick<Verifier, 'verify'>
  readonly #seed: number
  readonly #onProgress: TrainerOptions['onProgress']

  constructor(parts: {
    engine: Pick<LocalEngine, 'rollout'>
    verifier: Pick<Verifier, 'verify'>
    seed: number
    onProgress: TrainerOptions['onProgress']
  }) {
    this.#engine = parts.engine
    this.#verifier = parts.verifier
    this.#seed = parts.seed
    this.#onProgress = parts.onProgress
  }

  /** The groups of a step, rejected ones included. */
  collect(
    step: number,
    { stage, prompts }: Pick<RunPosition, 'stage' | 'prompts'>,
    { clock, counts, profile, signal }: Measures & { signal: AbortSignal | undefined },
  ): Promise<RolloutGroup[]> {
    const { groupSize, maxResponseLength, temperature, topP, topK, maxBatchSize, kvCacheBytes } = stage
    const sampling = { samples: groupSize, maxResponseLength, temperature, topP, topK, maxBatchSize, kvCacheBytes }
    const rollout: Collection['rollout'] = (drawn, round, onGroup) =>
      this.#engine.rollout(drawn, sampling, {
        onGroup,
        seeds: round === 0 ? [this.#seed, step] : [this.#seed, step, round],
        signal,
        onStats: (stats) => counts.add(stats),
        onProgress: ({ tokens }) => this.#onProgress?.({ step, phase: 'rollout', tokens }),
      })
    return collectGroups({
      ...{ stage, stream: prompts, rollout, clock },
      grade: (sampled) => grade(sampled, this.#verifier, stage, signal, profile),
    })
  }
}
