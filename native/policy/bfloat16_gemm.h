#pragma once
// Products of bfloat16 matrices on CPUs that have instructions for them, with float32 sums that are rounded once or not
// at all. libtorch's own products round them to bfloat16. oneDNN's kernels for blocks (brgemm, which libtorch exports)
// multiply; what they multiply is packed here.

#include <ATen/core/Tensor.h>

namespace magic {

// Whether the processor and this libtorch have what it takes.
bool has_bfloat16_gemm();

// Whether bfloat16_gemm takes these: x [m, k] and w [n, k], each row in one piece, k even.
bool bfloat16_gemm_takes(const at::Tensor& x, const at::Tensor& w);

// x w^T [m, n] as `type`, float32 or bfloat16. A row's result does not depend on the others.
at::Tensor bfloat16_gemm(const at::Tensor& x, const at::Tensor& w, at::ScalarType type);

// sum [m, n] (float32) += a^T b of a [k, m] and b [k, n]; whether it takes these: each row in one piece.
bool adds_bfloat16_gemm(const at::Tensor& a, const at::Tensor& b);
void add_bfloat16_gemm(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b);

}  // namespace magic
