#pragma once
// Matrix products of the policy and which library or kernel makes each: our own where they are faster.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace magic {

// Whether products of this type are computed on float32 copies: a CPU without bfloat16 instructions multiplies bfloat16
// ten to twenty times slower than float32.
bool multiplies_in_float32(at::Device device, at::ScalarType dtype);

// t, or where its type is slow to multiply, a float32 copy.
at::Tensor gemm_operand(const at::Tensor& t);

// a b of matrices [n, m] or of batches of them [b, n, m], in the type of a.
at::Tensor product(const at::Tensor& a, const at::Tensor& b);

// x weight^T + bias of x [n, in], weight [out, in] and bias [out], which may be undefined, in the type of x.
at::Tensor affine_product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

// a b of matrices, in float32 and not rounded to the type of a but where a CPU multiplies bfloat16 without
// block_gemm.h's kernels (an odd inner axis; not x86). What samples and what trains both take their logits from here,
// so that they agree.
at::Tensor float_product(const at::Tensor& a, const at::Tensor& b);

// The same into [n, m] float32, on a GPU without memory for it.
void float_product_into(at::Tensor out, const at::Tensor& a, const at::Tensor& b);

// sum += scale a b of matrices, all of one type.
void add_product(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, double scale);

// So many rows of a matrix are copied at a time where products are computed on float32 copies.
constexpr int64_t kCopiedRows = 256;

// A product that is added to a gradient of another type is made in blocks of so many bytes of float32.
constexpr int64_t kProductBlockBytes = 16 << 20;

// gradient += d_y^T x, multiplied and added in float32, but that a CPU that multiplies bfloat16 without block_gemm.h's
// kernels rounds the product for a float32 gradient; the sum is rounded to the gradient's type.
void accumulate_product(at::Tensor& gradient, const at::Tensor& d_y, const at::Tensor& x);

}  // namespace magic
