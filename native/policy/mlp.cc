#include "policy/mlp.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>

namespace magic {

at::Tensor swiglu(const at::Tensor& gate_up) {
  const int64_t width = gate_up.size(1) / 2;
  return at::silu(gate_up.narrow(1, 0, width)).mul_(gate_up.narrow(1, width, width));
}

at::Tensor swiglu_backward(const at::Tensor& gate_up, const at::Tensor& d_y) {
  const int64_t width = gate_up.size(1) / 2;
  const at::Tensor gate = gate_up.narrow(1, 0, width), up = gate_up.narrow(1, width, width);
  at::Tensor d_gate_up = at::empty_like(gate_up);
  d_gate_up.narrow(1, width, width).copy_(at::silu(gate).mul_(d_y));
  d_gate_up.narrow(1, 0, width).copy_(at::silu_backward(d_y * up, gate));
  return d_gate_up;
}

}  // namespace magic
