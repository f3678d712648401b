import { z } from 'zod'

/** A path or several. */
export const pathList = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)], {
  error: 'expected a path or a list of paths',
})

/** How a row becomes a prompt. */
export const promptShape = {
  systemPrompt: z.string().optional().describe('System message put before prompts that have none; default none.'),
  promptSuffix: z.string().optional().describe('Text appended to the last user message of each prompt; default none.'),
}

/** The training prompts of a run. */
export const trainDataSchema = z
  .strictObject({ train: pathList.describe('Training rows, .jsonl or .parquet: a path or a list.'), ...promptShape })
  .describe('The training prompts.')
