import { prepareCheckpoint, pruneCheckpoints, type TrainerState } from '../checkpoint/run-checkpoint.ts'
import { ConfigError } from '../config/config-error.ts'
import type { RecipeConfig } from '../config/recipe-schema.ts'
import type { Prompt } from '../data/prompt.ts'
import { hashPrompts } from '../data/prompt-hash.ts'
import type { RunFolder } from '../metrics/run-folder.ts'
import type { Policy } from '../policy/policy.ts'

/** What the trainer knows beside what identifies the run. */
export type TrainerProgressState = Pick<TrainerState, 'step' | 'evaluated' | 'controller' | 'stages' | 'seconds'>

/** Writes the checkpoints of a run, and tells whether one is of this run. */
export class Checkpointer {
  readonly #folder: RunFolder
  readonly #policy: Policy
  readonly #config: Pick<RecipeConfig, 'seed' | 'checkpointEvery' | 'keepCheckpoints'>
  readonly #identity: Pick<TrainerState, 'seed' | 'promptCount' | 'promptHash'>
  #savedStep = 0

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

  /** Writes everything; `commit` makes it the newest checkpoint, in one rename, and removes old ones. */
  async prepare(progress: TrainerProgressState): Promise<{ commit(): Promise<void> }> {
    const { checkpoints } = this.#folder
    const state: TrainerState = { version: 3, ...this.#identity, ...progress }
    const prepared = await prepareCheckpoint(checkpoints, this.#policy, state)
    return {
      commit: async () => {
        await prepared.commit()
        this.#savedStep = state.step
        await this.prune()
      },
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
