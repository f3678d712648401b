import type { Prompt } from '../data/prompt.ts'
import type { RewardSample, Verdict, Verifier } from './verifier.ts'

/** What of a prompt its verifier follows from: its `data_source`, or its row's `ability`. */
export type Route = 'source' | 'ability'

/** Grades each prompt by the verifier of its data source or ability, or by the one called `default`. */
export class RoutedVerifier implements Verifier {
  readonly name: string
  readonly #route: Route
  readonly #verifiers: ReadonlyMap<string, Verifier>

  constructor(route: Route, verifiers: ReadonlyMap<string, Verifier>) {
    this.#route = route
    this.#verifiers = verifiers
    this.name = `by ${route}: ${[...verifiers.keys()].join(', ')}`
  }

  /** @throws Error that names the prompt, where no verifier is for it */
  forPrompt(prompt: Prompt): Verifier {
    const value = this.#route === 'source' ? prompt.source : prompt.extra.ability
    const own = typeof value === 'string' ? this.#verifiers.get(value) : undefined
    const found = own ?? this.#verifiers.get('default')
    if (found) return found
    const shown = value === undefined ? 'missing' : JSON.stringify(value)
    throw new Error(
      `verifier: the ${this.#route === 'source' ? 'data_source' : 'ability'} of prompt ${prompt.id} is ${shown}, and there are ` +
        `verifiers for ${[...this.#verifiers.keys()].join(', ')}: add it, or default`,
    )
  }

  async verify(sample: RewardSample, signal?: AbortSignal): Promise<Verdict> {
    return this.forPrompt(sample.prompt).verify(sample, signal)
  }

  async explain(sample: RewardSample): Promise<string[]> {
    return (await this.forPrompt(sample.prompt).explain?.(sample)) ?? []
  }
}
