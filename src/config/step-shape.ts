import { z } from 'zod'
import { leastTemperature } from '../policy/call-options.ts'
import { entropySchema } from './entropy-schema.ts'
import { lossShape } from './loss-shape.ts'
import { computeShape, optimizerShape } from './optimizer-shape.ts'

const count = z.int().min(1)

/** How prompts become groups of responses. */
const rolloutShape = {
  promptsPerStep: count.default(64).describe('D_R: prompts rolled out in one training step.'),
  groupSize: z.int().min(2).default(16).describe('M: responses sampled for each prompt.'),
  promptsPerUpdate: count
    .optional()
    .describe('D_T: prompts in one optimizer step; default promptsPerStep (on-policy).'),
  reuse: count.default(1).describe('N_reuse: passes over the rollouts of a step; 1 is on-policy.'),
  oldLogprobs: z
    .enum(['sampled', 'recomputed'])
    .default('sampled')
    .describe(
      'Off-policy: the ratio divides by what the sampler reported, or by a forward of the policy before its updates.',
    ),
  maxResponseLength: count.default(1024).describe('T: most tokens of a response, the prompt not counted.'),
  temperature: z
    .number()
    .min(leastTemperature)
    .default(1)
    .describe('tau: sampling temperature; log-probs and entropy are those of logits / tau.'),
  topP: z.number().gt(0).max(1).default(1).describe('Nucleus sampling: least probability mass kept; 1 is off.'),
  topK: z.int().min(0).default(0).describe('Sample among the k most likely tokens; 0 is off.'),
  maxBatchSize: count
    .default(64)
    .describe('Most sequences decoded at once; the result depends on it by rounding alone.'),
  kvCacheBytes: z
    .int()
    .min(0)
    .default(0)
    .describe(
      'Most memory of the keys and values of sequences in the sampler, bytes; where it is full the youngest sequences wait. 0: half of what is free.',
    ),
}

/** How rewards become advantages. */
const advantageShape = {
  truncation: z
    .strictObject({
      advantageMask: z
        .enum(['none', 'before', 'after'])
        .default('none')
        .describe('Truncated responses: trained as any other, or masked before or after the group mean and deviation.'),
      reward: z
        .enum(['zero', 'graded'])
        .default('zero')
        .describe('Reward of a truncated response: 0, or graded as any other.'),
      countMasked: z
        .boolean()
        .default(false)
        .describe(
          'Count masked responses in what the loss is divided by, as if they had been trained with advantage 0.',
        ),
      overlongBuffer: z
        .int()
        .min(0)
        .default(0)
        .describe(
          'Tokens before maxResponseLength over which the reward falls linearly by overlongPenalty (DAPO); 0 is off.',
        ),
      overlongPenalty: z.number().min(0).default(1).describe('What a response of maxResponseLength loses.'),
    })
    .prefault({})
    .describe('Responses that reached maxResponseLength without a stop token.'),

  advantage: z
    .strictObject({
      divideByStd: z
        .boolean()
        .default(true)
        .describe('Divide the centred rewards of a group by their sample standard deviation + 1e-6.'),
    })
    .prefault({})
    .describe('How rewards of a group become advantages.'),

  rejection: z
    .strictObject({
      refill: z
        .boolean()
        .default(false)
        .describe(
          'Draw more prompts until promptsPerStep groups are kept (dynamic sampling); else train on what is left.',
        ),
      maxPrompts: count.optional().describe('Most prompts drawn in a step; default 4 times promptsPerStep.'),
    })
    .prefault({})
    .describe('Groups whose advantages are all zero teach nothing and are left out.'),
}

/** All that makes up a training step: what each stage may set anew. */
export const stepShape = {
  ...rolloutShape,
  ...optimizerShape,
  ...lossShape,
  ...computeShape,
  ...advantageShape,
  entropy: entropySchema,
}
