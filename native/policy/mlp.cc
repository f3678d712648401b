#include "policy/mlp.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include "cpu/kernels.h"
#include "cuda/device_kernels.h"
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

void swiglu_into(const at::Tensor& y, const at::Tensor& gate_up) {
  const Swiglu args{gate_up.const_data_ptr(), y.data_ptr(), y.size(0), y.size(1)};
  DeviceQueue(y).run(&DeviceKernels::swiglu, y.scalar_type(), args);
}

at::Tensor swiglu(const at::Tensor& gate_up) {
  const int64_t width = gate_up.size(1) / 2;
  at::Tensor y = at::empty({gate_up.size(0), width}, gate_up.options());
  if (device_kernels(gate_up.device())) {
    swiglu_into(y, gate_up);
  } else if (gate_up.scalar_type() == at::kFloat) {
    swiglu_rows<float>(gate_up, y);
  } else {
    swiglu_rows<c10::BFloat16>(gate_up, y);
  }
  return y;
}

void swiglu_backward(const at::Tensor& gate_up, const at::Tensor& d_y) {
  if (device_kernels(gate_up.device())) {
    const SwigluBackward args{gate_up.const_data_ptr(), d_y.const_data_ptr(), gate_up.data_ptr(), d_y.size(0),
                              d_y.size(1)};
    DeviceQueue(d_y).run(&DeviceKernels::swiglu_backward, d_y.scalar_type(), args);
  } else if (gate_up.scalar_type() == at::kFloat) {
    swiglu_rows_backward<float>(gate_up, d_y);
  } else {
    swiglu_rows_backward<c10::BFloat16>(gate_up, d_y);
  }
}

}  // namespace magic
