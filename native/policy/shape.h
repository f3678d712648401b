#pragma once
// The shape of a decoder-only transformer (Qwen2, Qwen3, Llama); TypeScript normalises config.json into it.

#include <cstdint>
#include <vector>

namespace magic {

struct Shape {
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t layer_count = 0;
  int64_t head_count = 0;
  int64_t key_value_head_count = 0;
  int64_t head_dim = 0;
  double rms_norm_epsilon = 1e-6;
  bool tie_word_embeddings = false;
  bool qkv_bias = false;
  bool output_bias = false;
  bool mlp_bias = false;
  bool qk_norm = false;
  std::vector<double> inverse_frequencies;  // [head_dim / 2]
  double initializer_range = 0.02;
};

}  // namespace magic
