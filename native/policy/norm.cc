#include "policy/norm.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "cpu/kernels.h"
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

at::Tensor inverse_rms(const at::Tensor& x, double epsilon) { return x.square().mean(-1, true).add_(epsilon).rsqrt_(); }

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  if (has_rows(x)) {
    return x.scalar_type() == at::kFloat ? norm_rows<float>(x, weight, epsilon)
                                         : norm_rows<c10::BFloat16>(x, weight, epsilon);
  }
  const at::Tensor x32 = x.to(at::kFloat);
  return (x32 * inverse_rms(x32, epsilon)).to(x.scalar_type()).mul_(weight);
}

at::Tensor rms_norm_backward(const at::Tensor& x, const at::Tensor& weight, double epsilon, const at::Tensor& d_y,
                             at::Tensor& d_weight, const at::Tensor& residual) {
  if (has_rows(x) && has_rows(d_y)) {
    return x.scalar_type() == at::kFloat
               ? norm_rows_backward<float>(x, weight, epsilon, d_y, d_weight, residual)
               : norm_rows_backward<c10::BFloat16>(x, weight, epsilon, d_y, d_weight, residual);
  }
  const at::Tensor x32 = x.to(at::kFloat);
  const at::Tensor scale = inverse_rms(x32, epsilon);
  const at::Tensor normal = x32 * scale;
  const at::Tensor d_y32 = d_y.to(at::kFloat);
  const int64_t dim = x.size(-1);
  if (d_weight.defined()) d_weight.add_((d_y32 * normal).view({-1, dim}).sum(0));
  at::Tensor d_normal = d_y32 * weight;
  // x's own length moves with x: take out the part along it.
  const at::Tensor along = (d_normal * normal).mean(-1, true);
  d_normal.sub_(normal * along).mul_(scale);
  if (residual.defined()) d_normal.add_(residual);
  return d_normal.to(x.scalar_type());
}

}  // namespace magic
