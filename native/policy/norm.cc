#include "policy/norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/rsqrt.h>

namespace magic {

namespace {

at::Tensor inverse_rms(const at::Tensor& x, double epsilon) { return x.square().mean(-1, true).add_(epsilon).rsqrt_(); }

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  const at::Tensor x32 = x.to(at::kFloat);
  return (x32 * inverse_rms(x32, epsilon)).to(x.scalar_type()).mul_(weight);
}

at::Tensor rms_norm_backward(const at::Tensor& x, const at::Tensor& weight, double epsilon, const at::Tensor& d_y,
                             at::Tensor& d_weight) {
  const at::Tensor x32 = x.to(at::kFloat);
  const at::Tensor scale = inverse_rms(x32, epsilon);
  const at::Tensor normal = x32 * scale;
  const at::Tensor d_y32 = d_y.to(at::kFloat);
  const int64_t dim = x.size(-1);
  if (d_weight.defined()) d_weight.add_((d_y32 * normal).view({-1, dim}).sum(0));
  at::Tensor d_normal = d_y32 * weight;
  // x's own length moves with x: take out the part along it.
  const at::Tensor along = (d_normal * normal).mean(-1, true);
  return d_normal.sub_(normal * along).mul_(scale).to(x.scalar_type());
}

}  // namespace magic
