#include "policy/norm.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "cpu/kernels.h"
#include "cuda/device_kernels.h"
#include "policy/rows.h"

namespace magic {

namespace {

template <typename T>
at::Tensor norm_rows(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  at::Tensor y = at::empty(x.sizes(), x.options());
  const Rows<T> in(x), out(y);
  const T* w = weight.const_data_ptr<T>();
  const int64_t dim = x.size(-1);
  const auto kernel = kernels().rows<T>().norm;
  at::parallel_for(0, in.count, row_grain(dim), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) kernel(in.row(i), w, out.row(i), dim, epsilon);
  });
  return y;
}

template <typename T>
at::Tensor norm_rows_backward(const at::Tensor& x, const at::Tensor& weight, double epsilon, const at::Tensor& d_y,
                              at::Tensor& d_weight, const at::Tensor& residual) {
  at::Tensor d_x = at::empty(x.sizes(), x.options());
  const Rows<T> in(x), d_in(d_y), out(d_x), past(residual.defined() ? residual : x);
  const T* w = weight.const_data_ptr<T>();
  const int64_t dim = x.size(-1);
  const auto kernel = kernels().rows<T>().norm_backward;
  // The weight's gradient is summed in parts of fixed rows, so that it is the same on any number of threads.
  constexpr int64_t kPartRows = 128;
  const int64_t parts = (in.count + kPartRows - 1) / kPartRows;
  at::Tensor part_sums;
  if (d_weight.defined()) part_sums = at::zeros({parts, dim}, at::kFloat);
  float* sums = d_weight.defined() ? part_sums.mutable_data_ptr<float>() : nullptr;
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * kPartRows; i < std::min(end * kPartRows, in.count); i++) {
      kernel(in.row(i), w, d_in.row(i), residual.defined() ? past.row(i) : nullptr, out.row(i),
             sums ? sums + i / kPartRows * dim : nullptr, dim, epsilon);
    }
  });
  if (sums) d_weight.add_(part_sums.sum(0));
  return d_x;
}

// Rows [outer, inner, dim] of [n, D] or [n, m, D]; the m lie one after the other.
struct Layout {
  explicit Layout(const at::Tensor& x) : outer(x.size(0)), inner(x.dim() == 3 ? x.size(1) : 1), dim(x.size(-1)) {}

  int64_t outer, inner, dim;
};

at::Tensor norm_backward_on_device(const at::Tensor& x, const at::Tensor& weight, double epsilon, const at::Tensor& d_y,
                                   at::Tensor& d_weight, const at::Tensor& residual) {
  at::Tensor d_x = at::empty(x.sizes(), x.options()), partial;
  const Layout rows(x);
  if (d_weight.defined()) partial = at::empty({RmsNormBackward::kPartials, rows.dim}, x.options().dtype(at::kFloat));
  const RmsNormBackward args{.x = x.const_data_ptr(),
                             .weight = weight.const_data_ptr(),
                             .d_y = d_y.const_data_ptr(),
                             .d_x = d_x.mutable_data_ptr(),
                             .d_weight = d_weight.defined() ? d_weight.mutable_data_ptr<float>() : nullptr,
                             .partial = partial.defined() ? partial.mutable_data_ptr<float>() : nullptr,
                             .residual = residual.defined() ? residual.const_data_ptr() : nullptr,
                             .outer = rows.outer,
                             .inner = rows.inner,
                             .dim = rows.dim,
                             .x_stride = x.stride(0),
                             .d_y_stride = d_y.stride(0),
                             .d_x_stride = d_x.stride(0),
                             .residual_stride = residual.defined() ? residual.stride(0) : 0,
                             .epsilon = static_cast<float>(epsilon)};
  DeviceQueue(x).run(&DeviceKernels::rms_norm_backward, x.scalar_type(), args);
  return d_x;
}

}  // namespace

void rms_norm_into(const at::Tensor& y, const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  const Layout rows(x);
  const RmsNorm args{
      x.const_data_ptr(), weight.const_data_ptr(),    y.data_ptr(), rows.outer, rows.inner, rows.dim, x.stride(0),
      y.stride(0),        static_cast<float>(epsilon)};
  DeviceQueue(x).run(&DeviceKernels::rms_norm, x.scalar_type(), args);
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  if (device_kernels(x.device())) {
    at::Tensor y = at::empty(x.sizes(), x.options());
    rms_norm_into(y, x, weight, epsilon);
    return y;
  }
  return x.scalar_type() == at::kFloat ? norm_rows<float>(x, weight, epsilon)
                                       : norm_rows<c10::BFloat16>(x, weight, epsilon);
}

at::Tensor rms_norm_backward(const at::Tensor& x, const at::Tensor& weight, double epsilon, const at::Tensor& d_y,
                             at::Tensor& d_weight, const at::Tensor& residual) {
  if (device_kernels(x.device())) return norm_backward_on_device(x, weight, epsilon, d_y, d_weight, residual);
  return x.scalar_type() == at::kFloat ? norm_rows_backward<float>(x, weight, epsilon, d_y, d_weight, residual)
                                       : norm_rows_backward<c10::BFloat16>(x, weight, epsilon, d_y, d_weight, residual);
}

}  // namespace magic
