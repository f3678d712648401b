import { z } from 'zod'
import { checkRecipe } from './check-recipe.ts'
import { stageSchema } from './stage-schema.ts'
import { stepShape } from './step-shape.ts'

const count = z.int().min(1)

/** What the trainer itself needs, whoever made its policy, prompts and verifier. Every key has a default. */
export const recipeShape = {
  seed: z.int().min(0).default(0).describe('Seed of the prompt order and of every sample.'),
  steps: count
    .default(100)
    .describe(
      'Training steps, of the run or of each stage that does not say; one step is one rollout and its updates.',
    ),
  checkpointEvery: z.int().min(0).default(10).describe('Steps between checkpoints; 0 writes one at the end only.'),
  keepCheckpoints: count.default(2).describe('How many of the newest checkpoints are kept.'),
  maxPromptLength: count.default(2048).describe('Longest prompt, in tokens; longer ones are dropped and counted.'),
  stages: z
    .array(stageSchema)
    .min(1)
    .optional()
    .describe('Stages, one after another, each with settings of its own on top of the others; default one of `steps`.'),

  ...stepShape,
}

/** The recipe alone, for `new Trainer({ config })`. */
export const recipeSchema = z.strictObject(recipeShape).superRefine(checkRecipe)

/** The recipe part of a run, resolved. */
export type RecipeConfig = z.output<typeof recipeSchema>
/** The recipe as a user writes it: any key may be left out. */
export type RecipeInput = z.input<typeof recipeSchema>
