import { z } from 'zod'
import { targetModules } from '../policy/lora.ts'

/** A low-rank adapter that is trained in place of the model. */
export const loraSchema = z
  .strictObject({
    rank: z.int().min(1).default(16).describe('LoRA: rank of the adapter.'),
    alpha: z.number().positive().default(32).describe('LoRA: the adapter counts with alpha / rank.'),
    targetModules: z
      .union([z.literal('all-linear'), z.array(z.enum(targetModules)).min(1)], {
        error: `expected 'all-linear' or a list of ${targetModules.join(', ')}`,
      })
      .default('all-linear')
      .describe(`LoRA: what is adapted in every layer, a list of ${targetModules.join(', ')}, or all of them.`),
  })
  .optional()
  .describe('Train a low-rank adapter and freeze the model; default none: the whole model is trained.')
