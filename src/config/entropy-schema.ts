import { z } from 'zod'

/** The entropy coefficient of the loss and what steers it. */
export const entropySchema = z
  .strictObject({
    controller: z
      .enum(['adaptive', 'constant', 'off'])
      .default('adaptive')
      .describe('Entropy coefficient: steered to the target, constant, or 0.'),
    variant: z
      .enum(['or1-paper', 'or1-release'])
      .default('or1-paper')
      .describe('Adaptive: the rule of the Skywork-OR1 paper (eq 3.2) or that of its released code.'),
    target: z.number().min(0).default(0.2).describe('Adaptive: entropy to keep, nats a token.'),
    delta: z
      .number()
      .positive()
      .optional()
      .describe('Adaptive: change of the coefficient a step; default 0.005 (or1-paper), 0.0001 (or1-release).'),
    maximum: z
      .number()
      .min(0)
      .nullable()
      .optional()
      .describe('Adaptive: largest coefficient, null for no limit; default null (or1-paper), 0.005 (or1-release).'),
    gate: z
      .enum(['inclusive', 'strict'])
      .optional()
      .describe(
        'Adaptive: the coefficient applies where entropy <= target or < target; default inclusive (or1-paper), strict (or1-release).',
      ),
    atTarget: z
      .enum(['hold', 'decrease'])
      .optional()
      .describe('Adaptive: where entropy equals the target; default hold (or1-paper), decrease (or1-release).'),
    timing: z
      .enum(['same-step', 'next-step'])
      .optional()
      .describe(
        'Adaptive: the gate follows the entropy of this step or of the step before; default same-step (or1-paper), next-step (or1-release).',
      ),
    estimator: z
      .enum(['full', 'sampled'])
      .optional()
      .describe(
        'Adaptive: full-vocabulary entropy, or -mean log-prob of the sampled tokens; default full (or1-paper), sampled (or1-release).',
      ),
    coefficient: z.number().min(0).default(0.001).describe('Constant: the entropy coefficient.'),
  })
  .prefault({})
  .describe('The entropy bonus of the loss.')
