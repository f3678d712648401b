#pragma once
// One tensor of a model that can be trained.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace magic {

struct Parameter {
  at::Tensor value;     // compute type, what forward and backward use
  at::Tensor master;    // float32; the same storage as value when that is float32, else undefined until training starts
  at::Tensor gradient;  // float32; undefined until the first backward, and always of what is frozen

  bool defined() const { return value.defined(); }
};

// A Hugging Face tensor: rows [row, row + shape[0]) of a parameter.
struct NamedSlice {
  std::string name;
  Parameter* parameter;
  int64_t row;
  std::vector<int64_t> shape;

  at::Tensor of(const at::Tensor& tensor) const { return tensor.narrow(0, row, shape[0]); }
};

}  // namespace magic
