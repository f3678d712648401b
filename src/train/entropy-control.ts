import type { RecipeConfig } from '../config/recipe-schema.ts'
import { AdaptiveEntropy, type AdaptiveEntropyOptions, adaptiveEntropyVariants } from '../control/adaptive-entropy.ts'
import { ConstantEntropy } from '../control/constant-entropy.ts'
import type { EntropyController } from '../control/entropy-controller.ts'

/** The controller that a config describes, and which estimate of the entropy it looks at. */
export function entropyControl(entropy: RecipeConfig['entropy']): {
  controller: EntropyController
  estimator: 'full' | 'sampled'
} {
  if (entropy.controller === 'off') return { controller: new ConstantEntropy(0), estimator: 'full' }
  if (entropy.controller === 'constant')
    return { controller: new ConstantEntropy(entropy.coefficient), estimator: 'full' }
  const options = adaptiveOptions(entropy)
  return { controller: new AdaptiveEntropy(options), estimator: options.estimator }
}

/** Every option of the adaptive controller: what the config says, else what its variant says. */
export function adaptiveOptions(entropy: RecipeConfig['entropy']): AdaptiveEntropyOptions {
  const variant: AdaptiveEntropyOptions = adaptiveEntropyVariants[entropy.variant]
  return {
    target: entropy.target,
    delta: entropy.delta ?? variant.delta,
    maximum: entropy.maximum === undefined ? variant.maximum : entropy.maximum,
    gate: entropy.gate ?? variant.gate,
    atTarget: entropy.atTarget ?? variant.atTarget,
    timing: entropy.timing ?? variant.timing,
    estimator: entropy.estimator ?? variant.estimator,
  }
}
