#pragma once
// Products of bfloat16 by oneDNN's kernels for blocks of matrices (brgemm), which libtorch exports, over blocks that
// are packed here. libtorch's own products pack or copy the weight too, which for few rows takes longer than to
// multiply by it, and are rounded to bfloat16: here they are float32 sums.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace magic {

// Whether this processor and this libtorch have the kernels.
bool has_block_gemm();

// x w^T [m, n] of x [m, k] and w [n, k] as `type`, float32 or bfloat16, which is what it is rounded to at the end. A
// row's result does not depend on the others. Undefined where it does not take these (there are no kernels, not both
// are of bfloat16, a row is not in one piece, or k is odd) or memory is out.
at::Tensor block_gemm(const at::Tensor& x, const at::Tensor& w, at::ScalarType type);

// add_block_gemm packs so many rows at once.
constexpr int64_t kPackedRows = 1024;

// sum [m, n] (float32) += a^T b of bfloat16 a [k, m] and b [k, n]; whether it takes these: each row in one piece.
bool adds_block_gemm(const at::Tensor& a, const at::Tensor& b);
void add_block_gemm(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b);

}  // namespace magic
