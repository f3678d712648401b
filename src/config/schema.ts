import { z } from 'zod'

const pathList = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)], {
  error: 'expected a path or a list of paths',
})
const count = z.int().min(1)
const decay = z.number().min(0).lt(1)

const device = z
  .string()
  .regex(/^(cpu|cuda|cuda:\d+)$/, { error: "expected 'cpu', 'cuda' or 'cuda:N'" })
  .default('cpu')
  .describe('Where the policy lives: cpu, cuda or cuda:N.')

const optimizer = {
  learningRate: z.number().positive().default(1e-6).describe('Step size of AdamW, constant after the warm-up.'),
  warmupSteps: z.int().min(0).default(0).describe('Steps over which the learning rate rises linearly from near 0.'),
  betas: z
    .tuple([decay, decay])
    .default([0.9, 0.999])
    .describe('Decay of the first and second moments of AdamW, each in [0, 1).'),
  epsilon: z.number().positive().default(1e-8).describe('Term added to the root of the second moment of AdamW.'),
  weightDecay: z.number().min(0).default(0.01).describe('Decoupled weight decay of AdamW, times the learning rate.'),
  maxGradNorm: z.number().min(0).default(1).describe('Global 2-norm that gradients are clipped to; 0 switches it off.'),
}

const compute = {
  maxTokensPerMicroBatch: count
    .default(8192)
    .describe('Most tokens of one forward and backward; the result does not depend on it, memory does.'),
  activationCheckpointing: z
    .boolean()
    .default(false)
    .describe('Keep only the input of each layer and compute the layer again in the backward: less memory, more time.'),
}

/** What the trainer itself needs, whoever made its policy, prompts and verifier. Every key has a default. */
export const recipeShape = {
  seed: z.int().min(0).default(0).describe('Seed of the prompt order and of every sample.'),
  steps: count.default(100).describe('Training steps; one step is one rollout and its updates.'),
  checkpointEvery: z.int().min(0).default(10).describe('Steps between checkpoints; 0 writes one at the end only.'),
  keepCheckpoints: count.default(2).describe('How many of the newest checkpoints are kept.'),

  promptsPerStep: count.default(64).describe('D_R: prompts rolled out in one training step.'),
  groupSize: z.int().min(2).default(16).describe('M: responses sampled for each prompt.'),
  promptsPerUpdate: count
    .optional()
    .describe('D_T: prompts in one optimizer step; default promptsPerStep (on-policy).'),
  reuse: count.default(1).describe('N_reuse: passes over the rollouts of a step; 1 is on-policy.'),

  maxPromptLength: count.default(2048).describe('Longest prompt, in tokens; longer ones are dropped and counted.'),
  maxResponseLength: count.default(1024).describe('T: most tokens of a response, the prompt not counted.'),
  temperature: z
    .number()
    .positive()
    .default(1)
    .describe('tau: sampling temperature; log-probs and entropy are those of logits / tau.'),
  topP: z.number().gt(0).max(1).default(1).describe('Nucleus sampling: least probability mass kept; 1 is off.'),
  topK: z.int().min(0).default(0).describe('Sample among the k most likely tokens; 0 is off.'),
  maxBatchSize: count.default(64).describe('Most sequences decoded at once; the result does not depend on it.'),

  ...optimizer,
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
  ...compute,

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

  entropy: z
    .strictObject({
      controller: z
        .enum(['adaptive', 'constant', 'off'])
        .default('adaptive')
        .describe('Entropy coefficient: steered to the target, constant, or 0.'),
      variant: z
        .enum(['or1-paper', 'or1-release'])
        .default('or1-paper')
        .describe('Adaptive: the rule of the Skywork-OR1 paper (eq 3.2) or that of its released code.'),
      target: z.number().min(0).default(0.2).describe('Adaptive: entropy to keep, nats a token.'),
      delta: z
        .number()
        .positive()
        .optional()
        .describe('Adaptive: change of the coefficient a step; default 0.005 (or1-paper), 0.0001 (or1-release).'),
      maximum: z
        .number()
        .min(0)
        .nullable()
        .optional()
        .describe('Adaptive: largest coefficient, null for no limit; default null (or1-paper), 0.005 (or1-release).'),
      gate: z
        .enum(['inclusive', 'strict'])
        .optional()
        .describe(
          'Adaptive: the coefficient applies where entropy <= target or < target; default inclusive (or1-paper), strict (or1-release).',
        ),
      atTarget: z
        .enum(['hold', 'decrease'])
        .optional()
        .describe('Adaptive: where entropy equals the target; default hold (or1-paper), decrease (or1-release).'),
      timing: z
        .enum(['same-step', 'next-step'])
        .optional()
        .describe(
          'Adaptive: the gate follows the entropy of this step or of the step before; default same-step (or1-paper), next-step (or1-release).',
        ),
      estimator: z
        .enum(['full', 'sampled'])
        .optional()
        .describe(
          'Adaptive: full-vocabulary entropy, or -mean log-prob of the sampled tokens; default full (or1-paper), sampled (or1-release).',
        ),
      coefficient: z.number().min(0).default(0.001).describe('Constant: the entropy coefficient.'),
    })
    .prefault({})
    .describe('The entropy bonus of the loss.'),
}

const data = {
  systemPrompt: z.string().optional().describe('System message put before prompts that have none; default none.'),
  promptSuffix: z.string().optional().describe('Text appended to the last user message of each prompt; default none.'),
}

const evaluation = z
  .strictObject({
    data: pathList.optional().describe('Held-out rows, .jsonl or .parquet; default none: no evaluation.'),
    every: z.int().min(0).default(0).describe('Steps between evaluations; 0: only before and after the training.'),
    samples: count.default(8).describe('k of avg@k: responses sampled for each problem.'),
    temperature: z.number().min(0).default(1).describe('Sampling temperature of the evaluation; 0 is greedy.'),
    topP: z.number().gt(0).max(1).default(1).describe('Nucleus sampling of the evaluation; 1 is off.'),
    maxResponseLength: count.optional().describe('Most tokens of a response; default that of the training.'),
    seed: z.int().min(0).default(0).describe('Seed of the evaluation, apart from that of the training.'),
  })
  .prefault({})
  .describe('avg@k on held-out problems, before and after the training.')

const model = z
  .string()
  .min(1)
  .describe('Hugging Face folder of the model to train: config.json, safetensors, tokenizer.')
const output = z.string().min(1).describe('The run folder, made where it is missing.')
const dtype = z
  .enum(['float32', 'bfloat16'])
  .default('float32')
  .describe('Compute type; masters, gradients and optimizer states are float32 always.')

/** A whole run, as in a YAML file: the recipe and where its model, prompts and rewards come from. */
export const trainSchema = z
  .strictObject({
    model,
    output,
    device,
    dtype,
    data: z
      .strictObject({ train: pathList.describe('Training rows, .jsonl or .parquet: a path or a list.'), ...data })
      .describe('The training prompts.'),
    verifier: z
      .string()
      .min(1)
      .default('math')
      .describe("The reward: 'math', or an exported function as './reward.ts#name'."),
    ...recipeShape,
    evaluation,
  })
  .superRefine(checkRecipe)

/** The recipe alone, for `new Trainer({ config })`. */
export const recipeSchema = z.strictObject(recipeShape).superRefine(checkRecipe)

/** Supervised fine-tuning, as in a YAML file. */
export const sftSchema = z.strictObject({
  model,
  output,
  device,
  dtype,
  data: z
    .strictObject({
      train: pathList.describe(
        'Rows { prompt, response } or { messages } ending with the assistant: a path or a list.',
      ),
      ...data,
    })
    .describe('The worked examples.'),
  seed: z.int().min(0).default(0).describe('Seed of the order of the rows.'),
  steps: count.default(100).describe('Optimizer steps.'),
  batchSize: count.default(16).describe('Rows in one optimizer step.'),
  maxLength: count
    .default(2048)
    .describe('Longest row, prompt and response together, in tokens; longer ones are dropped.'),
  ...optimizer,
  learningRate: z.number().positive().default(1e-5).describe('Step size of AdamW, constant after the warm-up.'),
  ...compute,
})

function checkRecipe(
  config: { promptsPerStep: number; promptsPerUpdate?: number | undefined },
  context: z.RefinementCtx,
): void {
  const { promptsPerStep, promptsPerUpdate } = config
  if (promptsPerUpdate !== undefined && promptsPerStep % promptsPerUpdate !== 0)
    context.addIssue({
      code: 'custom',
      path: ['promptsPerUpdate'],
      message: `expected a divisor of promptsPerStep (${promptsPerStep})`,
    })
}

/** A resolved run: every default filled in. */
export type TrainConfig = z.output<typeof trainSchema>
/** The recipe part of a run, resolved. */
export type RecipeConfig = z.output<typeof recipeSchema>
/** The recipe as a user writes it: any key may be left out. */
export type RecipeInput = z.input<typeof recipeSchema>
/** Resolved settings of supervised fine-tuning. */
export type SftConfig = z.output<typeof sftSchema>
/** Resolved settings of an evaluation. */
export type EvaluationConfig = z.output<typeof evaluation>
