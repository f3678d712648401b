#pragma once
// The parameters of a decoder. q, k and v are rows of one matrix, gate and up of another, so that each is one GEMM; the
// Hugging Face names are row ranges of these.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "policy/shape.h"

namespace magic {

struct Parameter {
  at::Tensor value;     // compute type, what forward and backward use
  at::Tensor master;    // float32; the same storage as value when that is float32, else undefined until training starts
  at::Tensor gradient;  // float32; undefined until the first backward

  bool defined() const { return value.defined(); }
};

struct LayerWeights {
  Parameter input_norm;      // [H]
  Parameter qkv;             // [(Hq + 2 Hkv) D, H]
  Parameter qkv_bias;        // [(Hq + 2 Hkv) D], Qwen2
  Parameter q_norm, k_norm;  // [D], Qwen3
  Parameter output;          // [H, Hq D]
  Parameter output_bias;     // [H]
  Parameter mlp_norm;        // [H]
  Parameter gate_up;         // [2 I, H]
  Parameter gate_up_bias;    // [2 I]
  Parameter down;            // [H, I]
  Parameter down_bias;       // [H]
};

// A Hugging Face tensor: rows [row, row + shape[0]) of a parameter.
struct NamedSlice {
  std::string name;
  Parameter* parameter;
  int64_t row;
  std::vector<int64_t> shape;
};

struct Weights {
  at::Device device{at::kCPU};
  at::ScalarType dtype = at::kFloat;
  Parameter embedding;  // [V, H]
  std::vector<LayerWeights> layers;
  Parameter final_norm;  // [H]
  Parameter lm_head;     // [V, H]; undefined when tied

  Parameter& head() { return lm_head.defined() ? lm_head : embedding; }
  // Every parameter once, in the order of the layers.
  std::vector<Parameter*> parameters();
  // Every Hugging Face tensor, in the same order.
  std::vector<NamedSlice> slices(const Shape& shape);
  // Masters and zeroed gradients, allocated at first need.
  void prepare_training();
  void zero_gradients();
  // Compute-type copies from the masters, after an optimizer step.
  void refresh_values();
};

// Uninitialised weights of this shape.
Weights allocate_weights(const Shape& shape, at::Device device, at::ScalarType dtype);

}  // namespace magic
