#pragma once
// One tensor of a model that can be trained.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace magic {

// Elements [begin, end) of a contiguous tensor.
inline at::Tensor elements(const at::Tensor& tensor, int64_t begin, int64_t end) {
  return tensor.view({-1}).narrow(0, begin, end - begin);
}

struct Parameter {
  at::Tensor value;     // compute type, what forward and backward use
  at::Tensor low_half;  // int16, of a bfloat16 value that is trained: what it lacks to its float32 master (master.h)
  at::Tensor gradient;  // of what is trained, from the forward to the end of the optimizer's step

  bool defined() const { return value.defined(); }
};

// A Hugging Face tensor: rows [row, row + shape[0]) of a parameter.
struct NamedSlice {
  std::string name;
  Parameter* parameter;
  int64_t row;
  std::vector<int64_t> shape;

  at::Tensor of(const at::Tensor& tensor) const { return tensor.narrow(0, row, shape[0]); }
  // The float32 master: the value itself where that is float32, else a copy.
  at::Tensor master() const;
  at::Tensor master(int64_t begin, int64_t end) const;  // its elements [begin, end), of one axis
  void set_master(const at::Tensor& master) const;
};

}  // namespace magic
