#pragma once
// Zeros that take no memory until they are written.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace magic {

// Bytes [count]. On the CPU fresh pages of the system: each takes memory when it is first written, and goes back when
// the tensor does. On a device memory of it, at once.
at::Tensor zero_pages(int64_t count, at::Device device);

}  // namespace magic
