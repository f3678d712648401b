#pragma once
// Products by oneDNN, which libtorch carries but takes for float32 only where it is asked to.

#include <ATen/core/Tensor.h>

namespace magic {

// x [n, in] weight^T, float32 on the CPU; undefined where libtorch was built without oneDNN, it can't take these, or
// memory is out.
at::Tensor onednn_linear(const at::Tensor& x, const at::Tensor& weight);

}  // namespace magic
