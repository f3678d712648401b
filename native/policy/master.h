#pragma once
// Float32 masters of bfloat16 values, in four bytes for both: the value is the master's upper half, rounded to nearest
// (ties away from zero), and the lower half is kept beside it. Nothing of the master is lost, and it takes no memory of
// its own.

#include <ATen/core/Tensor.h>

namespace magic {

// Float32. The value itself where it is float32; `low_half` undefined stands for zeros.
at::Tensor join_master(const at::Tensor& value, const at::Tensor& low_half);

// The inverse: writes value and low_half (int16; undefined where value is float32).
void split_master(const at::Tensor& master, at::Tensor value, at::Tensor low_half);

}  // namespace magic
