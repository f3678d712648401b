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

// Cosines and sines of single positions on the CPU, kept from when they are first asked for.
class RopeTable {
 public:
  explicit RopeTable(const Shape& shape) : shape_(shape) {}
  // [D]: the cosines, then the sines.
  const std::vector<float>& row(int64_t position);

 private:
  const Shape& shape_;
  std::vector<std::vector<float>> rows_;
};

Rope make_rope(const Shape& shape, const std::vector<int64_t>& positions, at::Device device);

// Rotates heads [T, n, D] in place; `inverse` rotates back, which is the backward.
void rotate(const at::Tensor& heads, const Rope& rope, bool inverse);

}  // namespace magic
