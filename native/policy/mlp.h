#pragma once
// SwiGLU (Shazeer, 2020): silu(gate) * up. One pass, on the CPU and on CUDA devices.

#include <ATen/core/Tensor.h>

namespace magic {

// gate_up [T, 2 I] to [T, I].
at::Tensor swiglu(const at::Tensor& gate_up);

// The same into y, on devices with kernels.
void swiglu_into(const at::Tensor& y, const at::Tensor& gate_up);

// d y [T, I] to d gate_up [T, 2 I], in place of gate_up.
void swiglu_backward(const at::Tensor& gate_up, const at::Tensor& d_y);

}  // namespace magic
