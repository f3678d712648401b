#include "policy/mlp.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>

#include "cpu/kernels.h"
#include "policy/rows.h"

namespace magic {

namespace {

template <typename T>
void swiglu_rows(const at::Tensor& gate_up, at::Tensor& y) {
  const Rows<T> in(gate_up), out(y);
  const int64_t width = y.size(1);
  const auto kernel = kernels().rows<T>().swiglu;
  at::parallel_for(0, in.count, row_grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) kernel(in.row(i), in.row(i) + width, out.row(i), width);
  });
}

template <typename T>
void swiglu_rows_backward(const at::Tensor& gate_up, const at::Tensor& d_y) {
  const Rows<T> in(gate_up), d_in(d_y);
  const int64_t width = d_y.size(1);
  const auto kernel = kernels().rows<T>().swiglu_backward;
  at::parallel_for(0, in.count, row_grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) kernel(in.row(i), in.row(i) + width, d_in.row(i), width);
  });
}

}  // namespace

at::Tensor swiglu(const at::Tensor& gate_up) {
  const int64_t width = gate_up.size(1) / 2;
  if (!has_rows(gate_up)) return at::silu(gate_up.narrow(1, 0, width)).mul_(gate_up.narrow(1, width, width));
  at::Tensor y = at::empty({gate_up.size(0), width}, gate_up.options());
  gate_up.scalar_type() == at::kFloat ? swiglu_rows<float>(gate_up, y) : swiglu_rows<c10::BFloat16>(gate_up, y);
  return y;
}

void swiglu_backward(const at::Tensor& gate_up, const at::Tensor& d_y) {
  if (has_rows(gate_up) && has_rows(d_y)) {
    gate_up.scalar_type() == at::kFloat ? swiglu_rows_backward<float>(gate_up, d_y)
                                        : swiglu_rows_backward<c10::BFloat16>(gate_up, d_y);
    return;
  }
  const int64_t width = gate_up.size(1) / 2;
  at::Tensor gate = gate_up.narrow(1, 0, width), up = gate_up.narrow(1, width, width);
  const at::Tensor d_up = at::silu(gate).mul_(d_y);
  gate.copy_(at::silu_backward(d_y * up, gate));
  up.copy_(d_up);
}

}  // namespace magic
