#pragma once
// y = x W^T + b, with a low-rank adapter where there is one, and its gradients, accumulated over micro-batches.

#include <ATen/core/Tensor.h>

#include "policy/adapter.h"
#include "policy/parameter.h"

namespace magic {

struct Linear {
  Parameter weight;  // [out, in]
  Parameter bias;    // [out]; undefined where the model has none
  Adapter adapter;   // undefined without LoRA
};

// x [T, in] to [T, out].
at::Tensor linear(const at::Tensor& x, const Linear& layer);

// The same into y, by the library alone, on a GPU without memory for it; `low` [T, targets r] where there is an
// adapter.
void linear_into(at::Tensor y, const at::Tensor& x, const Linear& layer, at::Tensor low);

// d x [T, in]; adds to the gradients of what is trained in the layer.
at::Tensor linear_backward(const at::Tensor& x, Linear& layer, const at::Tensor& d_y);

}  // namespace magic
