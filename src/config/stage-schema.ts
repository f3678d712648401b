import { z } from 'zod'
import { stepShape } from './step-shape.ts'
import { withoutDefaults } from './without-defaults.ts'

const count = z.int().min(1)

/** When a stage has converged. */
const untilSchema = z
  .strictObject({
    metric: z
      .string()
      .min(1)
      .default('accuracy')
      .describe(
        'A name of metrics.jsonl, times aside, of what is better the higher it is; eval/... counts where an evaluation was made.',
      ),
    window: count.default(20).describe('Steps that a mean is taken over.'),
    minImprovement: z
      .number()
      .default(0.01)
      .describe('Least difference between the mean of the last window and that of the window before it.'),
  })
  .describe('Ends the stage early, once the metric no longer improves; default none.')

/** One stage of a run (Skywork-OR1, section 3.2.2): when it ends, how it starts, and what it sets anew. */
export const stageSchema = z
  .strictObject({
    steps: count.optional().describe('Most steps of the stage; default `steps` of the run.'),
    until: untilSchema.optional(),
    dropSolved: z
      .boolean()
      .default(true)
      .describe('Leave out the prompts whose responses were all correct whenever the stage before drew them.'),
    resetOptimizer: z.boolean().default(false).describe('Start with new moments of AdamW.'),
    resetController: z
      .boolean()
      .default(false)
      .describe('Start the entropy controller anew; one of another kind than in the stage before always starts anew.'),
    ...withoutDefaults(stepShape),
  })
  .describe('A stage: `steps`, `until`, `dropSolved`, `resetOptimizer`, `resetController`, and any key of a step.')
