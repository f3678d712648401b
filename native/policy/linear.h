#pragma once
// y = x W^T + b, and its gradients accumulated in float32.

#include <ATen/core/Tensor.h>

#include "policy/weights.h"

namespace magic {

// t, or where its type is slow to multiply, a float32 copy: a CPU without bfloat16 instructions multiplies bfloat16 ten
// to twenty times slower than float32.
at::Tensor gemm_operand(const at::Tensor& t);

// a b of matrices [n, m] or of batches of them [b, n, m], in the type of a.
at::Tensor product(const at::Tensor& a, const at::Tensor& b);

// a b of matrices, in float32 and not rounded to the type of a where the device can give it (a CPU with bfloat16
// instructions cannot). What samples and what trains both take their logits from here, so that they agree.
at::Tensor float_product(const at::Tensor& a, const at::Tensor& b);

// x [T, in], weight [out, in], bias [out] or undefined, to [T, out].
at::Tensor linear(const at::Tensor& x, const Parameter& weight, const Parameter& bias);

// d x [T, in]; adds to the gradients of weight and bias.
at::Tensor linear_backward(const at::Tensor& x, Parameter& weight, Parameter& bias, const at::Tensor& d_y);

// gradient += d_y^T x, in float32; on a CPU with bfloat16 instructions the product is rounded to bfloat16 before.
void accumulate_product(at::Tensor& gradient, const at::Tensor& d_y, const at::Tensor& x);

}  // namespace magic
