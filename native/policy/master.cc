#include "policy/master.h"

#include <ATen/TensorOperators.h>

#include <limits>

namespace magic {

// As integers, master = value * 2^16 + low_half with a low half of either sign: rounding the value up left a negative
// one.

at::Tensor join_master(const at::Tensor& value, const at::Tensor& low_half) {
  if (!low_half.defined()) return value.to(at::kFloat);
  return value.view(at::kShort).to(at::kInt).bitwise_left_shift_(16).add_(low_half).view(at::kFloat);
}

void split_master(const at::Tensor& master, at::Tensor value, at::Tensor low_half) {
  if (!low_half.defined()) {
    value.copy_(master);
    return;
  }
  const at::Tensor bits = master.view(at::kInt);
  low_half.copy_(bits);  // its low 16 bits
  value.view(at::kShort).copy_((bits + 0x8000).bitwise_right_shift_(16));
  // The sum may leave what is no number.
  value.masked_fill_(master.isnan(), std::numeric_limits<float>::quiet_NaN());
}

}  // namespace magic
