import { prepareCheckpoint, pruneCheckpoints, type TrainerState } from '../checkpoint/run-checkpoint.ts'
import { ConfigError } from '../config/config-error.ts'
import type { RecipeConfig } from '../config/recipe-schema.ts'
import type { Prompt } from '../data/prompt.ts'
import { hashPrompts } from '../data/prompt-hash.ts'
import type { RunFolder } from '../metrics/run-folder.ts'
import type { Policy } from '../policy/policy.ts'
import type { PolicySnapshot } from '../policy/snapshot.ts'

/** What the trainer knows beside what identifies the run. */
export type TrainerProgressState = Pick<TrainerState, 'step' | 'evaluated' | 'controller' | 'stages' | 'seconds'>

/** Writes the checkpoints of a run, and tells whether one is of this run. */
export class Checkpointer {
  readonly #folder: RunFolder
  readonly #policy: Policy
  readonly #config: Pick<RecipeConfig, 'seed' | 'checkpointEvery' | 'keepCheckpoints'>
  readonly #identity: Pick<TrainerState, 'seed' | 'promptCount' | 'promptHash'>
  #savedStep = 0
  /** Never rejects. */
  #writing: Promise<void> | undefined
  #failure: { error: unknown } | undefined

  constructor(
    folder: RunFolder,
    policy: Policy,
    prompts: readonly Prompt[],
    config: Pick<RecipeConfig, 'seed' | 'checkpointEvery' | 'keepCheckpoints'>,
  ) {
    this.#folder = folder
    this.#policy = policy
    this.#config = config
    this.#identity = { seed: config.seed, promptCount: prompts.length, promptHash: hashPrompts(prompts) }
  }

  /** The newest step of which there is a checkpoint. */
  get savedStep(): number {
    return this.#savedStep
  }

  isDue(step: number): boolean {
    const { checkpointEvery } = this.#config
    return checkpointEvery > 0 && step % checkpointEvery === 0
  }

  /**
   * Takes a snapshot of the policy, and `write` starts to write it: from then on the run goes on meanwhile. The one before
   * is waited for first, so that there is one snapshot at most.
   *
   * @throws what the writing of the one before failed with
   */
  async prepare(progress: TrainerProgressState): Promise<{ write(): void }> {
    await this.written()
    const state: TrainerState = structuredClone({ version: 3, ...this.#identity, ...progress })
    const snapshot = await this.#policy.snapshot()
    return {
      write: () => {
        this.#writing = this.#write(snapshot, state).catch((error) => {
          this.#failure = { error }
        })
      },
    }
  }

  /** Waits for the checkpoint under way. @throws what its writing failed with */
  async written(): Promise<void> {
    await this.#writing
    this.check()
  }

  /** Throws what the writing of the last checkpoint failed with, once, and waits for nothing. */
  check(): void {
    const failure = this.#failure
    this.#failure = undefined
    if (failure) throw failure.error
  }

  async #write(snapshot: PolicySnapshot, state: TrainerState): Promise<void> {
    try {
      const prepared = await prepareCheckpoint(this.#folder.checkpoints, snapshot, state)
      await prepared.commit()
      this.#savedStep = state.step
      await this.prune()
    } finally {
      snapshot.dispose()
    }
  }

  /** Removes old checkpoints, and what killed processes left half-written. */
  async prune(): Promise<void> {
    await pruneCheckpoints(this.#folder.checkpoints, this.#config.keepCheckpoints)
  }

  /**
   * Takes up a checkpoint.
   *
   * @throws ConfigError where the seed or the prompts are not those of its run, whose position in them is restored
   */
  resume(state: TrainerState): void {
    const { seed, promptCount, promptHash } = this.#identity
    if (state.seed !== seed)
      throw new ConfigError(
        `'seed': ${seed}, but the run that is resumed had ${state.seed}, which shuffles its prompts; give seed=${state.seed}`,
      )
    if (state.promptCount !== promptCount)
      throw new ConfigError(
        `'data.train': ${promptCount} prompts, but the run that is resumed had ${state.promptCount}; give the same data`,
      )
    if (state.promptHash !== promptHash)
      throw new ConfigError(
        `'data.train': other prompts, or in another order, than the run that is resumed had; give the same data`,
      )
    this.#savedStep = state.step
  }
}
