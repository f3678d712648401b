#pragma once
// The parameters of a decoder. q, k and v are rows of one matrix, gate and up of another, so that each is one GEMM; the
// Hugging Face names are row ranges of these.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "policy/adapter.h"
#include "policy/linear.h"
#include "policy/parameter.h"
#include "policy/shape.h"

namespace magic {

struct LayerWeights {
  Parameter input_norm;      // [H]
  Linear qkv;                // [(Hq + 2 Hkv) D, H], biases in Qwen2
  Parameter q_norm, k_norm;  // [D], Qwen3
  Linear output;             // [H, Hq D]
  Parameter mlp_norm;        // [H]
  Linear gate_up;            // [2 I, H]
  Linear down;               // [H, I]

  std::array<Linear*, 4> linears() { return {&qkv, &output, &gate_up, &down}; }
};

struct Weights {
  at::Device device{at::kCPU};
  at::ScalarType dtype = at::kFloat;
  Parameter embedding;  // [V, H]
  std::vector<LayerWeights> layers;
  Parameter final_norm;  // [H]
  Parameter lm_head;     // [V, H]; undefined when tied
  at::Tensor gradients;  // bytes that those of the parameters are parts of, or undefined

  Parameter& head() { return lm_head.defined() ? lm_head : embedding; }
  // Every parameter of the model once, in the order of the layers.
  std::vector<Parameter*> parameters();
  std::vector<Adapter*> adapters();
  // What gradients, the optimizer and its states are of: the adapters where there are any, else every parameter.
  std::vector<Parameter*> trained();
  // Every Hugging Face tensor of the model, in the same order.
  std::vector<NamedSlice> slices(const Shape& shape);
  // PEFT's names of the adapters' tensors.
  std::vector<NamedSlice> adapter_slices();
  std::vector<NamedSlice> trained_slices(const Shape& shape);
  // A tensor of the model in the compute type, what its adapter adds included.
  at::Tensor merged(const NamedSlice& slice);
  // The same tensors without the adapters.
  Weights base() const;
  // What the masters need beside the values, allocated at first need.
  void prepare_training();
  // In one block that is apart from the activations, so as not to break up the memory that those take turns in. On the
  // CPU a fresh block takes memory as the backward comes to each gradient: while activations are let go of.
  // `matrices`: the type of those of the layers' matrices; the others are float32.
  void zero_gradients(at::ScalarType matrices);
  // They are used up. `block_too`: their memory goes back, to be faulted in again on the CPU.
  void drop_gradients(bool block_too);
  int64_t gradient_bytes(at::ScalarType matrices);  // of all, whether or not they are there

 private:
  at::ScalarType gradient_type(const Parameter* parameter, at::ScalarType matrices);
};

// Uninitialised weights of this shape.
Weights allocate_weights(const Shape& shape, at::Device device, at::ScalarType dtype);

// Puts uninitialised adapters on the target modules of every layer.
void attach_adapters(Weights& weights, const Shape& shape, const LoraOptions& options);

}  // namespace magic
