/** Training steps of a small model on one batch. */

import { Policy } from '../../src/policy/policy.ts'
import { Random } from '../../test/reference/random.ts'
import { HEADS, HIDDEN, INTERMEDIATE, KEY_VALUE_HEADS, LAYERS, type StepShape } from '../step-shape.ts'
import { serve } from './serve.ts'

serve(async (shape: StepShape) => {
  const policy = await Policy.create({
    ...{ architectures: ['LlamaForCausalLM'], model_type: 'llama', hidden_act: 'silu', vocab_size: shape.vocabulary },
    ...{ hidden_size: HIDDEN, intermediate_size: INTERMEDIATE, num_hidden_layers: LAYERS },
    ...{ num_attention_heads: HEADS, num_key_value_heads: KEY_VALUE_HEADS, max_position_embeddings: 8192 },
    ...{ rope_theta: 10_000, rms_norm_eps: 1e-5, tie_word_embeddings: true },
  })
  const { prompts, samples, promptTokens, responseTokens, vocabulary } = shape
  const random = new Random(5)
  const count = prompts * samples
  const length = promptTokens + responseTokens
  const tokenIds = random.integers(count * length, vocabulary)
  for (let i = 0; i < count; i++) {
    const first = Math.floor(i / samples) * samples
    tokenIds.copyWithin(i * length, first * length, first * length + promptTokens)
  }
  const batch = {
    tokenIds,
    offsets: Int32Array.from({ length: count + 1 }, (_, i) => i * length),
    promptLengths: new Int32Array(count).fill(promptTokens),
    advantages: Float32Array.from({ length: count }, (_, i) => (i % 2 ? 1 : -1)),
  }
  return { run: async () => ({ seconds: (await policy.trainStep(batch)).seconds }) }
})
