import type { Prompt } from './prompt.ts'
import { Random } from './random.ts'

/** Where a stream stands; plain JSON. */
export interface PromptStreamState {
  /** passes over the prompts begun before this one */
  epoch: number
  /** prompts already handed out in this epoch */
  position: number
}

/**
 * Prompts without end: each epoch hands out every prompt once, in an order that follows from the seed and the epoch
 * alone. So the state is two numbers, and a restored stream goes on exactly where the saved one stood.
 */
export class PromptStream {
  readonly #prompts: readonly Prompt[]
  readonly #seed: number
  #epoch = 0
  #position = 0
  #order: number[]

  /** @throws RangeError when there are no prompts or the seed is not a whole number */
  constructor(prompts: readonly Prompt[], { seed }: { seed: number }) {
    if (prompts.length === 0) throw new RangeError('prompts is empty: a stream needs at least one')
    if (!Number.isSafeInteger(seed)) throw new RangeError(`seed is ${seed}: it must be a whole number`)
    this.#prompts = prompts
    this.#seed = seed
    this.#order = this.#shuffled()
  }

  /** The next prompts; more than an epoch holds goes on into the next, so that one can come twice. */
  next(count: number): Prompt[] {
    if (!Number.isSafeInteger(count) || count < 1)
      throw new RangeError(`count is ${count}: ask for at least one prompt`)
    const batch: Prompt[] = []
    while (batch.length < count) {
      if (this.#position === this.#order.length) {
        this.#epoch++
        this.#position = 0
        this.#order = this.#shuffled()
      }
      batch.push(this.#prompts[this.#order[this.#position++]!]!)
    }
    return batch
  }

  state(): PromptStreamState {
    return { epoch: this.#epoch, position: this.#position }
  }

  /** @throws RangeError when the state cannot be one of this stream's, as when the data has changed */
  restore({ epoch, position }: PromptStreamState): void {
    if (!Number.isSafeInteger(epoch) || epoch < 0) throw new RangeError(`prompt stream state: epoch is ${epoch}`)
    if (!Number.isSafeInteger(position) || position < 0 || position > this.#prompts.length) {
      throw new RangeError(
        `prompt stream state: position is ${position}, there are ${this.#prompts.length} prompts: resume with the data of the saved run`,
      )
    }
    this.#epoch = epoch
    this.#position = position
    this.#order = this.#shuffled()
  }

  #shuffled(): number[] {
    // Through one round of the generator first: neighbouring seeds and epochs must not share a sequence.
    const base = new Random(this.#seed).next()
    return new Random(new Random(base ^ BigInt(this.#epoch)).next()).shuffle(this.#prompts.map((_, i) => i))
  }
}
