#pragma once
// Causal grouped-query attention on the CPU, parallel over heads and tiles of query rows. Rows are float32 or bfloat16,
// widened tile by tile for the kernels in cpu/attention.inl, which compute in float32.

#include <ATen/core/Tensor.h>

#include <vector>

#include "policy/packing.h"
#include "policy/shape.h"

namespace magic {

// From qkv [T, (Hq + 2 Hkv) D], q and k already rotated, to output [T, Hq D] of the same type; logsum [Hq, T], float32,
// takes the log-sum-exp of each row's scores.
void attend_tiles(const Shape& shape, const std::vector<Segment>& segments, const at::Tensor& qkv,
                  const at::Tensor& output, const at::Tensor& logsum);

// d output [T, Hq D] to d qkv [T, (Hq + 2 Hkv) D].
void attend_tiles_backward(const Shape& shape, const std::vector<Segment>& segments, const at::Tensor& qkv,
                           const at::Tensor& output, const at::Tensor& logsum, const at::Tensor& d_output,
                           const at::Tensor& d_qkv);

}  // namespace magic
