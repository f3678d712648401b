import { z } from 'zod'

/** The clipped surrogate and its variants (Skywork-OR1, eq 3.1). */
export const lossShape = {
  clipLow: z.number().min(0).max(1).default(0.2).describe('eps_low: the ratio is clipped below 1 - clipLow.'),
  clipHigh: z.number().min(0).default(0.2).describe('eps_high: the ratio is clipped above 1 + clipHigh.'),
  dualClip: z
    .union([z.literal(0), z.number().gt(1)], { error: 'expected a number above 1, or 0 for none' })
    .default(0)
    .describe('c: where the advantage A is negative, a term is at least c A; 0 is off.'),
  ratioLevel: z
    .enum(['token', 'sequence'])
    .default('token')
    .describe('One ratio a token, or a sequence (GSPO): exp of its mean log-ratio.'),
  importanceSamplingCap: z
    .number()
    .min(0)
    .default(0)
    .describe('C: the policy term times min(pi_old / pi_sampler, C), without gradient; 0 is off.'),
  aggregation: z
    .enum(['token-mean', 'sequence-mean-token-mean', 'sequence-mean-token-sum'])
    .default('token-mean')
    .describe('How token terms become one loss: mean over all tokens, GRPO, or Dr. GRPO.'),
  aggregationConstant: z
    .number()
    .positive()
    .optional()
    .describe('What token sums are divided by; default maxResponseLength. For sequence-mean-token-sum.'),
  klCoefficient: z
    .number()
    .min(0)
    .default(0)
    .describe('beta: weight of the k3 divergence from the starting model, in the loss; 0 is off.'),
}
