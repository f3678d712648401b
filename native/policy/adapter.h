#pragma once
// Low-rank adapters of a linear layer (LoRA, Hu et al. 2021): rows [row, row + rows) of y = x W^T get scale (x A^T)
// B^T, with A [r, in], B [rows, r] and scale = alpha / r. W stays as it is.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "policy/parameter.h"

namespace magic {

struct LoraOptions {
  int64_t rank = 0;
  double alpha = 0;
  std::vector<std::string> target_modules;  // q_proj, ...
  uint64_t seed = 0;                        // of A; B starts as zeros

  bool enabled() const { return rank > 0; }
};

// A Hugging Face module that is adapted, and which rows of the fused weight are its own.
struct AdapterTarget {
  std::string module;  // model.layers.0.self_attn.q_proj
  int64_t row, rows;
};

// The adapters of one fused weight: their A one under another, and so their B.
struct Adapter {
  std::vector<AdapterTarget> targets;
  int64_t rank = 0;
  double scale = 0;
  Parameter a;  // [targets r, in]
  Parameter b;  // [sum of rows, r]

  bool defined() const { return !targets.empty(); }
  // PEFT's names, A and B of one target after another.
  std::vector<NamedSlice> slices();
  // scale B A [rows, in] in float32, from the masters.
  at::Tensor delta(size_t target) const;
};

// y [T, out] += scale (x A^T) B^T, for each target's columns of y.
void adapter_forward(const Adapter& adapter, const at::Tensor& x, at::Tensor& y);
// The same by x A^T [T, targets r].
void add_adapter(const Adapter& adapter, const at::Tensor& low, const at::Tensor& y);

// d_x [T, in] += scale (d_y B) A; adds to the gradients of A and B. The product of A and B is never formed.
void adapter_backward(Adapter& adapter, const at::Tensor& x, const at::Tensor& d_y, at::Tensor& d_x);

}  // namespace magic
