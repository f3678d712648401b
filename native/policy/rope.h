#pragma once
// Rotary position embedding (Su et al., 2021) in Hugging Face's layout: the two halves of a head are the pairs.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "policy/shape.h"

namespace magic {

struct Rope {
  at::Tensor cosine, sine;  // [T, 1, D / 2] float32
};

Rope make_rope(const Shape& shape, const std::vector<int64_t>& positions, at::Device device);

// Rotates heads [T, n, D] in place; `inverse` rotates back, which is the backward.
void rotate(const at::Tensor& heads, const Rope& rope, bool inverse);

}  // namespace magic
