#pragma once
// Causal grouped-query attention on the CPU in float32, parallel over heads and tiles of query rows; the tiles' kernels
// are in cpu/attention.inl.

#include <cstdint>
#include <vector>

#include "policy/packing.h"
#include "policy/shape.h"

namespace magic {

// Rows of [T, (Hq + 2 Hkv) D], q and k already rotated.
struct AttentionInput {
  const Shape& shape;
  const std::vector<Segment>& segments;
  int64_t tokens;
  const float* qkv;
};

// To output [T, Hq D]; logsum [Hq, T] takes the log-sum-exp of each row's scores.
void attend_tiles(const AttentionInput& input, float* output, float* logsum);

// d output [T, Hq D] to d qkv [T, (Hq + 2 Hkv) D].
void attend_tiles_backward(const AttentionInput& input, const float* output, const float* logsum, const float* d_output,
                           float* d_qkv);

}  // namespace magic
