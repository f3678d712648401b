import { sftSchema } from '../config/schema.ts'
import type { Metrics } from '../metrics/step-metrics.ts'
import type { ModelConfig } from '../policy/model-config.ts'
import { Policy } from '../policy/policy.ts'
import { createCharTokenizer } from '../tokenizer/create.ts'
import { Tokenizer } from '../tokenizer/tokenizer.ts'
import { sft } from '../train/sft.ts'
import { loadExamples } from '../train/sft-examples.ts'
import { alphabet } from './sums.ts'

/** A Qwen2 of 0.67 million parameters. */
const modelConfig: ModelConfig = {
  model_type: 'qwen2',
  vocab_size: 32,
  hidden_size: 192,
  intermediate_size: 384,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  hidden_act: 'silu',
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  max_position_embeddings: 128,
  initializer_range: 0.05,
  tie_word_embeddings: true,
  pad_token_id: 0,
  eos_token_id: 1,
}

/** The last steps are small, so that what is left of the mistakes is what the examples teach. */
const phases = [
  { steps: 320, learningRate: 2e-3, warmupSteps: 20 },
  { steps: 100, learningRate: 4e-4 },
]

/** Supervised steps in all. */
export const supervisedSteps = phases.reduce((sum, { steps }) => sum + steps, 0)

export interface BaseModelOptions {
  /** Rows { prompt, response }. */
  examples: string
  seed: number
  signal?: AbortSignal | undefined
  /** The metrics of `sft`; `step` counts over all supervised steps. */
  onStep?: ((metrics: Metrics) => void) | undefined
}

/**
 * Makes the quickstart's base model in `folder`, a Hugging Face folder: a tokenizer with one token a character, random
 * weights, and supervised steps on worked sums.
 */
export async function createBaseModel(
  folder: string,
  { examples: path, seed, signal, onStep }: BaseModelOptions,
): Promise<void> {
  await createCharTokenizer(alphabet, folder)
  const tokenizer = await Tokenizer.load(folder)
  const { examples } = await loadExamples([path], { tokenizer, maxLength: 128 })
  const policy = await Policy.create(modelConfig, { seed })
  try {
    let done = 0
    for (const phase of phases) {
      const where = { model: folder, output: folder, data: { train: path } }
      const config = sftSchema.parse({ ...where, ...phase, batchSize: 32, seed: seed + done })
      const before = done
      await sft({
        ...{ policy, examples, config, signal },
        onStep: (metrics) => onStep?.({ ...metrics, step: before + metrics.step }),
      })
      done += phase.steps
    }
    await policy.save(folder)
  } finally {
    policy.dispose()
  }
}
