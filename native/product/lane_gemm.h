#pragma once
// y = x W^T in float32 for some rows of x, as decoding of a group has them: more than few_row_gemm.h is made for, and
// too few to copy W for. The rows of x lie across the lanes of vectors, so that no sum is taken across one.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace magic {

// Whether to multiply so many rows of x by it: where there are 512-bit vectors.
bool suits_lane_gemm(int64_t rows);

// x [n, in] times weight [out, in]^T to [n, out], both float32 and contiguous. A row's result does not depend on the
// other rows.
at::Tensor lane_gemm(const at::Tensor& x, const at::Tensor& weight);

}  // namespace magic
