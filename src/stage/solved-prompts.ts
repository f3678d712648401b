import type { Prompt } from '../data/prompt.ts'
import type { RolloutGroup } from '../rollout/rollout.ts'

/** Indexes of prompts; plain JSON. */
export interface SolvedPromptsState {
  /** drawn in this stage, and every response correct each time */
  solved: number[]
  /** drawn in this stage, and some response wrong */
  missed: number[]
  /** left out since an earlier stage */
  dropped: number[]
}

/** Remembers which prompts were solved every time they were drawn (Skywork-OR1, section 3.1). */
export class SolvedPrompts {
  readonly #prompts: readonly Prompt[]
  readonly #indexes: ReadonlyMap<Prompt, number>
  #solved = new Set<number>()
  #missed = new Set<number>()
  #dropped = new Set<number>()

  constructor(prompts: readonly Prompt[]) {
    this.#prompts = prompts
    this.#indexes = new Map(prompts.map((prompt, index) => [prompt, index]))
  }

  record(groups: readonly RolloutGroup[]): void {
    for (const { prompt, verdicts } of groups) {
      const index = this.#indexes.get(prompt)!
      if (verdicts.every(({ correct }) => correct) && !this.#missed.has(index)) this.#solved.add(index)
      else {
        this.#missed.add(index)
        this.#solved.delete(index)
      }
    }
  }

  /**
   * Ends a stage. With `drop` the prompts solved in it are left out from now on, unless none would stay.
   *
   * @returns how many are left out for the first time
   */
  endStage(drop: boolean): number {
    const solved = this.#solved
    this.#solved = new Set()
    this.#missed = new Set()
    if (!drop || this.#dropped.size + solved.size === this.#prompts.length) return 0
    for (const index of solved) this.#dropped.add(index)
    return solved.size
  }

  /** The prompts that are not left out, in their order. */
  remaining(): Prompt[] {
    return this.#prompts.filter((_, index) => !this.#dropped.has(index))
  }

  state(): SolvedPromptsState {
    return { solved: [...this.#solved], missed: [...this.#missed], dropped: [...this.#dropped] }
  }

  restore({ solved, missed, dropped }: SolvedPromptsState): void {
    this.#solved = new Set(solved)
    this.#missed = new Set(missed)
    this.#dropped = new Set(dropped)
  }
}
