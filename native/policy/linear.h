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

// Whether products of this type are computed on float32 copies: a CPU without bfloat16 instructions multiplies bfloat16
// ten to twenty times slower than float32.
bool multiplies_in_float32(at::Device device, at::ScalarType dtype);

// t, or where its type is slow to multiply, a float32 copy.
at::Tensor gemm_operand(const at::Tensor& t);

// a b of matrices [n, m] or of batches of them [b, n, m], in the type of a.
at::Tensor product(const at::Tensor& a, const at::Tensor& b);

// a b of matrices, in float32 and not rounded to the type of a but where a CPU multiplies bfloat16 without
// block_gemm.h's kernels (an odd inner axis; not x86). What samples and what trains both take their logits from here,
// so that they agree.
at::Tensor float_product(const at::Tensor& a, const at::Tensor& b);

// The same into [n, m] float32, on a GPU without memory for it.
void float_product_into(at::Tensor out, const at::Tensor& a, const at::Tensor& b);

// sum += scale a b of matrices, all of one type.
void add_product(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, double scale);

// x [T, in] to [T, out].
at::Tensor linear(const at::Tensor& x, const Linear& layer);

// The same into y, by the library alone, on a GPU without memory for it; `low` [T, targets r] where there is an
// adapter.
void linear_into(at::Tensor y, const at::Tensor& x, const Linear& layer, at::Tensor low);

// d x [T, in]; adds to the gradients of what is trained in the layer.
at::Tensor linear_backward(const at::Tensor& x, Linear& layer, const at::Tensor& d_y);

// So many rows of a matrix are copied at a time where products are computed on float32 copies.
constexpr int64_t kWidenedRows = 256;

// A product that is added to a gradient of another type is made in blocks of so many bytes of float32.
constexpr int64_t kProductBlockBytes = 16 << 20;

// gradient += d_y^T x, multiplied and added in float32, but that a CPU that multiplies bfloat16 without block_gemm.h's
// kernels rounds the product for a float32 gradient; the sum is rounded to the gradient's type.
void accumulate_product(at::Tensor& gradient, const at::Tensor& d_y, const at::Tensor& x);

}  // namespace magic
