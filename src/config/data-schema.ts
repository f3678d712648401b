import { z } from 'zod'

/** A path or several. */
export const pathList = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)], {
  error: 'expected a path or a list of paths',
})

const weightedFile = z.strictObject({
  path: z.string().min(1).describe('A file of a mixture.'),
  weight: z.number().positive().describe('How often its prompts are drawn, relative to the other files.'),
})

/** How a row becomes a prompt. */
export const promptShape = {
  systemPrompt: z.string().optional().describe('System message put before prompts that have none; default none.'),
  promptSuffix: z.string().optional().describe('Text appended to the last user message of each prompt; default none.'),
}

const weightedFiles = z.union([z.string().min(1), z.array(z.union([z.string().min(1), weightedFile])).min(1)], {
  error: 'expected a path, a list of paths, or a list of { path, weight } with weights above 0',
})

/** The training prompts of a run. */
export const trainDataSchema = z
  .strictObject({
    train: weightedFiles
      .refine(
        (files) => typeof files === 'string' || new Set(files.map((file) => typeof file)).size === 1,
        'expected a weight for every file or for none, as { path: rows.jsonl, weight: 1 }',
      )
      .describe(
        'Training rows, .jsonl or .parquet: a path, a list, or a list of { path, weight }. A weight is how often the prompts of its file are drawn relative to the other files; without weights all prompts are drawn alike.',
      ),
    epochs: z
      .int()
      .min(1)
      .optional()
      .describe(
        'Passes of each stage over its prompts, each as many draws as there are prompts; used up, they end the stage before its steps do. Default no end but `steps`.',
      ),
    decontaminate: z
      .strictObject({
        against: pathList
          .optional()
          .describe('Files of problems that must not be trained on, besides those of evaluation.data; default none.'),
        ngram: z
          .int()
          .min(1)
          .default(10)
          .describe(
            'Words in a row that a prompt must share with a problem to be dropped, letter case and punctuation aside; phrases that three problems of one file share do not count.',
          ),
      })
      .optional()
      .describe(
        'Drops and counts prompts that repeat an evaluation problem, in whole or in a run of words; default off.',
      ),
    ...promptShape,
  })
  .describe('The training prompts.')
