#include "policy/linear.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>

namespace magic {

at::Tensor linear(const at::Tensor& x, const Parameter& weight, const Parameter& bias) {
  return bias.defined() ? at::addmm(bias.value, x, weight.value.t()) : at::mm(x, weight.value.t());
}

void accumulate_product(at::Tensor& gradient, const at::Tensor& d_y, const at::Tensor& x) {
  if (d_y.scalar_type() == at::kFloat) {
    gradient.addmm_(d_y.t(), x);
  } else if (d_y.is_cuda()) {
    gradient.add_(at::mm(d_y.t(), x, at::kFloat));
  } else {
    gradient.add_(at::mm(d_y.t(), x));
  }
}

at::Tensor linear_backward(const at::Tensor& x, Parameter& weight, Parameter& bias, const at::Tensor& d_y) {
  accumulate_product(weight.gradient, d_y, x);
  if (bias.defined()) bias.gradient.add_(d_y.sum(0, false, at::kFloat));
  return at::mm(d_y, weight.value);
}

}  // namespace magic
