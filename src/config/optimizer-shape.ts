import { z } from 'zod'

const decay = z.number().min(0).lt(1)

/** AdamW and its learning rate. */
export const optimizerShape = {
  learningRate: z.number().positive().default(1e-6).describe('Step size of AdamW, constant after the warm-up.'),
  warmupSteps: z
    .int()
    .min(0)
    .default(0)
    .describe(
      'Steps, from the first or the last reset of the optimizer, over which the learning rate rises linearly from near 0.',
    ),
  betas: z
    .tuple([decay, decay])
    .default([0.9, 0.999])
    .describe('Decay of the first and second moments of AdamW, each in [0, 1).'),
  epsilon: z.number().positive().default(1e-8).describe('Term added to the root of the second moment of AdamW.'),
  weightDecay: z.number().min(0).default(0.01).describe('Decoupled weight decay of AdamW, times the learning rate.'),
  maxGradNorm: z.number().min(0).default(1).describe('Global 2-norm that gradients are clipped to; 0 switches it off.'),
}

/** How a forward and backward is computed; but for rounding no result depends on it. */
export const computeShape = {
  maxTokensPerMicroBatch: z
    .int()
    .min(1)
    .default(8192)
    .describe('Most tokens of one forward and backward; the result depends on it by rounding alone, memory does.'),
  activationBytes: z
    .int()
    .min(0)
    .default(0)
    .describe(
      'Most memory that one forward and backward takes beside weights and optimizer states, bytes: what does not fit computes layers again in the backward, then is split. 0: most of what is free.',
    ),
  activationCheckpointing: z
    .boolean()
    .default(false)
    .describe(
      'Compute every layer again in the backward, not only as many as activationBytes asks for: least memory, more time.',
    ),
  gradientDtype: z
    .enum(['float32', 'bfloat16'])
    .default('float32')
    .describe(
      "Type that gradients of the layers' matrices are kept in; bfloat16, where dtype is, takes 2 bytes less a parameter and rounds their sum at each micro-batch: for updates of a few.",
    ),
}
