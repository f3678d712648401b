#pragma once
// y = x W^T for few rows of x, as decoding has them: one token a sequence. Vectors run along the inner axis, where both
// operands are contiguous, so that W is read once as it lies. A row's result does not depend on the other rows.

#include <ATen/core/Tensor.h>

namespace magic {

// x [n, in] times weight [out, in]^T to [n, out], float32 whatever the type of the operands; bfloat16 is widened as it
// is read, never as a whole matrix.
at::Tensor few_row_gemm(const at::Tensor& x, const at::Tensor& weight);

}  // namespace magic
