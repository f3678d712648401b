import type { ModelConfig } from '../../src/index.ts'

/** Heads of 64, which the decode steps and decode attention of a device have kernels for, grouped; a vocabulary of odd size. */
export const shape: ModelConfig = {
  vocab_size: 331,
  hidden_size: 72,
  intermediate_size: 104,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 64,
  hidden_act: 'silu',
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  tie_word_embeddings: true,
}

/** With norms of queries and keys. */
export const qwen3: ModelConfig = { ...shape, architectures: ['Qwen3ForCausalLM'], model_type: 'qwen3' }
