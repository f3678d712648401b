#pragma once
// Attention of one new token a sequence over its cached keys and values.

#include <ATen/core/Tensor.h>

#include <vector>

#include "policy/shape.h"
#include "rollout/kv_cache.h"

namespace magic {

// queries [B, Hq D], rotated; tables include the new token's slot. To [B, Hq D]. On the CPU in one pass over the
// blocks, in float32 whatever the dtype: neighbouring sequences read the beginning that they share once (Hydragen,
// Juravsky et al. 2024). Elsewhere by tensor operations over gathered slots.
at::Tensor decode_attention(const Shape& shape, const KvCache& cache, int64_t layer, const at::Tensor& queries,
                            const std::vector<const BlockTable*>& tables);

}  // namespace magic
