import { z } from 'zod'
import { leastTemperature } from '../policy/call-options.ts'
import { pathList } from './data-schema.ts'

const count = z.int().min(1)

/** Evaluations in the loop of a run. */
export const evaluationSchema = z
  .strictObject({
    data: pathList.optional().describe('Held-out rows, .jsonl or .parquet; default none: no evaluation.'),
    every: z.int().min(0).default(0).describe('Steps between evaluations; 0: only before and after the training.'),
    samples: count.default(8).describe('k of avg@k: responses sampled for each problem.'),
    temperature: z
      .number()
      .min(0)
      .refine(
        (value) => value === 0 || value >= leastTemperature,
        `expected 0, which is greedy, or at least ${leastTemperature}`,
      )
      .default(1)
      .describe('Sampling temperature of the evaluation; 0 is greedy.'),
    topP: z.number().gt(0).max(1).default(1).describe('Nucleus sampling of the evaluation; 1 is off.'),
    maxResponseLength: count.optional().describe('Most tokens of a response; default that of the training.'),
    seed: z.int().min(0).default(0).describe('Seed of the evaluation, apart from that of the training.'),
  })
  .prefault({})
  .describe('avg@k on held-out problems, before and after the training.')
