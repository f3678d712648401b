#pragma once
// RMS normalisation (Zhang and Sennrich, 2019) over the last axis, in float32 whatever the type of x. One pass over the
// rows, on the CPU and on CUDA devices.

#include <ATen/core/Tensor.h>

namespace magic {

// x [..., D] * rsqrt(mean(x^2) + epsilon), cast, times weight [D].
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon);

// The same into y, which may be x; on devices with kernels, which take no memory for it.
void rms_norm_into(const at::Tensor& y, const at::Tensor& x, const at::Tensor& weight, double epsilon);

// d y [..., D] to d x, plus `residual` where that is defined: what reaches x past the norm. Adds to d_weight [D]
// (float32) where that is defined. Nothing is saved by the forward: x is enough.
at::Tensor rms_norm_backward(const at::Tensor& x, const at::Tensor& weight, double epsilon, const at::Tensor& d_y,
                             at::Tensor& d_weight, const at::Tensor& residual = {});

}  // namespace magic
