import type { Prompt } from './prompt.ts'
import { Random } from './random.ts'

/** Where a stream stands; plain JSON. */
export interface PromptStreamState {
  /** each part of the mixture: its weight, and the prompts drawn from it so far; without weights one part */
  parts: { weight: number; drawn: number }[]
}

/** How prompts are drawn. */
export interface PromptStreamOptions {
  /** a whole number; the same seed gives the same order */
  seed: number
  /** passes after which the stream is used up, each as many draws as there are prompts; default without end */
  epochs?: number | undefined
}

interface Part {
  prompts: Prompt[]
  weight: number
  seed: bigint
  drawn: number
  epoch: number
  order: number[]
}

/**
 * Prompts in an order that follows from the seed alone. Without weights every epoch hands out every prompt once, in an
 * order of its own. Prompts with a `mixture` are drawn part by part: each part goes through its own epochs, and at any
 * point the draws are spread over the parts as their weights say, as evenly as whole prompts allow. So the state is one
 * count a part, and a restored stream goes on exactly where the saved one stood.
 */
export class PromptStream {
  readonly #parts: Part[]
  /** Prompts that the stream hands out in all. */
  readonly #limit: number

  /** @throws RangeError when there are no prompts, only some have a `mixture`, or seed, epochs or a weight are wrong */
  constructor(prompts: readonly Prompt[], { seed, epochs = Number.POSITIVE_INFINITY }: PromptStreamOptions) {
    if (prompts.length === 0) throw new RangeError('prompts is empty: a stream needs at least one')
    if (!Number.isSafeInteger(seed)) throw new RangeError(`seed is ${seed}: it must be a whole number`)
    if (epochs !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(epochs) && epochs >= 1))
      throw new RangeError(`epochs is ${epochs}: it must be a whole number from 1 up; leave it out for no end`)
    this.#limit = epochs * prompts.length
    this.#parts = mixtureParts(prompts).map(({ prompts, weight }, index) => ({
      ...{ prompts, weight, drawn: 0, epoch: -1, order: [] },
      seed: BigInt(seed) ^ (index === 0 ? 0n : new Random(index).next()),
    }))
  }

  /** Prompts still to come; Infinity without `epochs`. */
  get remaining(): number {
    return this.#limit - this.#parts.reduce((sum, { drawn }) => sum + drawn, 0)
  }

  /**
   * The next prompts; more than an epoch holds goes on into the next, so that one can come twice. Fewer than `count`, or
   * none, where the epochs end.
   */
  next(count: number): Prompt[] {
    if (!Number.isSafeInteger(count) || count < 1)
      throw new RangeError(`count is ${count}: ask for at least one prompt`)
    return Array.from({ length: Math.min(count, this.remaining) }, () => this.#draw())
  }

  state(): PromptStreamState {
    return { parts: this.#parts.map(({ weight, drawn }) => ({ weight, drawn })) }
  }

  /** @throws RangeError when the state cannot be one of this stream's, as when data or weights have changed */
  restore({ parts }: PromptStreamState): void {
    const weights = (list: readonly { weight: number }[]) => list.map(({ weight }) => weight).join(', ')
    if (weights(parts) !== weights(this.#parts))
      throw new RangeError(
        `prompt stream state: its weights are ${weights(parts)}, those of the data ${weights(this.#parts)}: resume with the data of the saved run`,
      )
    for (const { drawn } of parts)
      if (!Number.isSafeInteger(drawn) || drawn < 0) throw new RangeError(`prompt stream state: drawn is ${drawn}`)
    for (const [index, part] of this.#parts.entries()) part.drawn = parts[index]!.drawn
  }

  #draw(): Prompt {
    // Sainte-Laguë's rule for seats: no part runs ahead of its weight, and nothing but the counts decides.
    const due = ({ drawn, weight }: Part) => (2 * drawn + 1) / weight
    const part = this.#parts.reduce((first, other) => (due(other) < due(first) ? other : first))
    const size = part.prompts.length
    const epoch = Math.floor(part.drawn / size)
    if (epoch !== part.epoch) {
      part.epoch = epoch
      part.order = shuffled(size, part.seed, epoch)
    }
    return part.prompts[part.order[part.drawn++ % size]!]!
  }
}

function mixtureParts(prompts: readonly Prompt[]): { prompts: Prompt[]; weight: number }[] {
  const parts = new Map<string | undefined, { prompts: Prompt[]; weight: number }>()
  for (const prompt of prompts) {
    const { part: name, weight = 1 } = prompt.mixture ?? {}
    if (!(Number.isFinite(weight) && weight > 0))
      throw new RangeError(`weight of '${name}' is ${weight}: it must be a number above 0`)
    const part = parts.get(name) ?? { prompts: [], weight }
    if (part.weight !== weight)
      throw new RangeError(`weight of '${name}' is ${part.weight} and ${weight}: a part has one weight`)
    part.prompts.push(prompt)
    parts.set(name, part)
  }
  if (parts.size > 1 && parts.has(undefined))
    throw new RangeError('only some prompts have a mixture: give each of them one, or none')
  return [...parts.values()]
}

function shuffled(size: number, seed: bigint, epoch: number): number[] {
  // Through one round of the generator first: neighbouring seeds and epochs must not share a sequence.
  const base = new Random(seed).next()
  return new Random(new Random(base ^ BigInt(epoch)).next()).shuffle(Array.from({ length: size }, (_, i) => i))
}
