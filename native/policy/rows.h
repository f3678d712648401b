#pragma once
// Rows of a tensor as the CPU kernels take them.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace magic {

// The rows of [n, D] or [n, m, D], each in one piece, whatever the strides between them.
template <typename T>
struct Rows {
  explicit Rows(const at::Tensor& t)
      : data(const_cast<T*>(t.const_data_ptr<T>())),
        inner(t.dim() == 3 ? t.size(1) : 1),
        outer_stride(t.stride(0)),
        inner_stride(t.dim() == 3 ? t.stride(1) : 0),
        count(t.size(0) * inner) {}

  T* row(int64_t i) const { return data + i / inner * outer_stride + i % inner * inner_stride; }

  T* data;
  int64_t inner, outer_stride, inner_stride, count;
};

// The rows that one task takes: enough to be worth its start.
inline int64_t row_grain(int64_t width) { return width < 16384 ? 16384 / (width + 1) + 1 : 1; }

}  // namespace magic
