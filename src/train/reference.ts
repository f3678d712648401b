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
