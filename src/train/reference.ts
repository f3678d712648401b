import type { Policy } from '../policy/policy.ts'
import type { TrainerOptions } from './trainer-options.ts'

/**
 * What the k3 term holds a policy to: the one that is given, or, for a policy with an adapter, its own frozen weights,
 * so that there is no second copy of them. Undefined where there is neither.
 */
export function referenceOf({
  policy,
  referencePolicy,
}: Pick<TrainerOptions, 'policy' | 'referencePolicy'>): Pick<Policy, 'score'> | undefined {
  if (referencePolicy || !policy.lora) return referencePolicy
  return { score: (batch, options) => policy.score(batch, { ...options, adapter: false }) }
}

/** A reference policy that is loaded when a step first needs it: a stage without a KL term does without its memory. */
export class LateReference implements Pick<Policy, 'score'> {
  readonly #load: () => Promise<Policy>
  #loading: Promise<Policy> | undefined

  constructor(load: () => Promise<Policy>) {
    this.#load = load
  }

  async score(...call: Parameters<Policy['score']>): ReturnType<Policy['score']> {
    this.#loading ??= this.#load()
    return (await this.#loading).score(...call)
  }

  /** Frees it, where it was loaded. */
  async dispose(): Promise<void> {
    const loaded = await this.#loading?.catch(() => undefined)
    loaded?.dispose()
  }
}
