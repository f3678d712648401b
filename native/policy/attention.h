#pragma once
// Causal grouped-query attention over packed segments: exact, and scores exist for a block of query rows only. The
// backward computes them again from the saved log-sum-exp (FlashAttention, Dao et al. 2022). On the CPU by kernels on
// tiles, elsewhere by tensor operations on blocks of rows.

#include <ATen/core/Tensor.h>

#include <vector>

#include "policy/packing.h"
#include "policy/shape.h"

namespace magic {

struct AttentionSaved {
  at::Tensor output;               // [T, Hq D]
  std::vector<at::Tensor> logsum;  // log-sum-exp of the scores, float32: [Hq, T], or a block [Hkv, G n, 1]
};

// qkv [T, (Hq + 2 Hkv) D], q and k already rotated, to [T, Hq D].
at::Tensor attention_forward(const Shape& shape, const Packing& packing, const at::Tensor& qkv, AttentionSaved* saved);

// d output [T, Hq D] to d qkv [T, (Hq + 2 Hkv) D].
at::Tensor attention_backward(const Shape& shape, const Packing& packing, const at::Tensor& qkv,
                              const AttentionSaved& saved, const at::Tensor& d_output);

}  // namespace magic
