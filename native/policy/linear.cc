#include "policy/linear.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>

#include "product/product.h"

namespace magic {

at::Tensor linear(const at::Tensor& x, const Linear& layer) {
  at::Tensor y = affine_product(x, layer.weight.value, layer.bias.value);
  if (layer.adapter.defined()) adapter_forward(layer.adapter, x, y);
  return y;
}

void linear_into(at::Tensor y, const at::Tensor& x, const Linear& layer, at::Tensor low) {
  const at::Tensor &weight = layer.weight.value, &bias = layer.bias.value;
  if (bias.defined()) {
    y.copy_(bias.expand_as(y));
    y.addmm_(x, weight.t());
  } else {
    at::mm_out(y, x, weight.t());
  }
  if (!layer.adapter.defined()) return;
  at::mm_out(low, x, layer.adapter.a.value.t());
  add_adapter(layer.adapter, low, y);
}

at::Tensor linear_backward(const at::Tensor& x, Linear& layer, const at::Tensor& d_y) {
  if (layer.weight.gradient.defined()) accumulate_product(layer.weight.gradient, d_y, x);
  if (layer.bias.gradient.defined()) layer.bias.gradient.add_(d_y.sum(0, false, at::kFloat));
  at::Tensor d_x = product(d_y, layer.weight.value);
  if (layer.adapter.defined()) adapter_backward(layer.adapter, x, d_y, d_x);
  return d_x;
}

}  // namespace magic
