import { z } from 'zod'
import { checkGradientDtype, checkRecipe } from './check-recipe.ts'
import { codeSchema } from './code-schema.ts'
import { pathList, promptShape, trainDataSchema } from './data-schema.ts'
import { evaluationSchema } from './evaluation-schema.ts'
import { loraSchema } from './lora-schema.ts'
import { computeShape, optimizerShape } from './optimizer-shape.ts'
import { presetNames } from './presets/presets.ts'
import { recipeShape } from './recipe-schema.ts'
import { formatSchema, lengthSchema, mathSchema, verifierSchema } from './verifier-schema.ts'

const model = z
  .string()
  .min(1)
  .describe('Hugging Face folder of the model to train: config.json, safetensors, tokenizer.')
const output = z.string().min(1).describe('The run folder, made where it is missing.')
const device = z
  .string()
  .regex(/^(cpu|cuda|cuda:\d+)$/, { error: "expected 'cpu', 'cuda' or 'cuda:N'" })
  .default('cpu')
  .describe('Where the policy lives: cpu, cuda or cuda:N.')
const dtype = z
  .enum(['float32', 'bfloat16'])
  .default('float32')
  .describe(
    'Compute type; masters and optimizer states are float32 always, gradients where gradientDtype does not say otherwise.',
  )

/** A whole run, as in a YAML file: the recipe and where its model, prompts and rewards come from. */
export const trainSchema = z
  .strictObject({
    preset: z
      .enum(presetNames)
      .optional()
      .describe('A published recipe as the base that the other keys override; `magic-grpo presets` lists them.'),
    model,
    output,
    device,
    dtype,
    lora: loraSchema,
    data: trainDataSchema,
    verifier: verifierSchema,
    math: mathSchema,
    code: codeSchema,
    format: formatSchema,
    length: lengthSchema,
    ...recipeShape,
    evaluation: evaluationSchema,
  })
  .superRefine(checkRecipe)
  .superRefine(checkGradientDtype)

/** Supervised fine-tuning, as in a YAML file. */
export const sftSchema = z
  .strictObject({
    model,
    output,
    device,
    dtype,
    data: z
      .strictObject({
        train: pathList.describe(
          'Rows { prompt, response } or { messages } ending with the assistant: a path or a list.',
        ),
        ...promptShape,
      })
      .describe('The worked examples.'),
    seed: z.int().min(0).default(0).describe('Seed of the order of the rows.'),
    steps: z.int().min(1).default(100).describe('Optimizer steps.'),
    batchSize: z.int().min(1).default(16).describe('Rows in one optimizer step.'),
    maxLength: z
      .int()
      .min(1)
      .default(2048)
      .describe('Longest row, prompt and response together, in tokens; longer ones are dropped.'),
    ...optimizerShape,
    learningRate: z.number().positive().default(1e-5).describe('Step size of AdamW, constant after the warm-up.'),
    ...computeShape,
  })
  .superRefine(checkGradientDtype)

/** A resolved run: every default filled in. */
export type TrainConfig = z.output<typeof trainSchema>
/** Resolved settings of supervised fine-tuning. */
export type SftConfig = z.output<typeof sftSchema>
