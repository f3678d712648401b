#include "policy/rope.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <cmath>

#include "cpu/kernels.h"
#include "cuda/device_kernels.h"
#include "policy/rows.h"

namespace magic {

namespace {

// cosine, sine: [D / 2]
void fill_row(const Shape& shape, int64_t position, float* cosine, float* sine) {
  for (int64_t i = 0; i < shape.head_dim / 2; i++) {
    // The reference implementations multiply in float32; so do we, to agree at long positions.
    const float angle = static_cast<float>(position) * static_cast<float>(shape.inverse_frequencies[i]);
    cosine[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
    sine[i] = static_cast<float>(std::sin(static_cast<double>(angle)));
  }
}

template <typename T>
void rotate_rows(const at::Tensor& heads, const Rope& rope, bool inverse) {
  const Rows<T> rows(heads);
  const int64_t half = heads.size(2) / 2, count = heads.size(1);
  const float *cosine = rope.cosine.const_data_ptr<float>(), *sine = rope.sine.const_data_ptr<float>();
  const auto kernel = kernels().rows<T>().rotate;
  at::parallel_for(0, rows.count, row_grain(2 * half), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t at = i / count * half;
      kernel(rows.row(i), cosine + at, sine + at, half, inverse ? -1.0f : 1.0f);
    }
  });
}

}  // namespace

const std::vector<float>& RopeTable::row(int64_t position) {
  if (static_cast<size_t>(position) >= rows_.size()) rows_.resize(position + 1);
  std::vector<float>& row = rows_[position];
  if (row.empty()) {
    row.resize(shape_.head_dim);
    fill_row(shape_, position, row.data(), row.data() + shape_.head_dim / 2);
  }
  return row;
}

Rope make_rope(const Shape& shape, const std::vector<int64_t>& positions, at::Device device) {
  const int64_t half = shape.head_dim / 2, count = static_cast<int64_t>(positions.size());
  at::Tensor cosine = at::empty({count, 1, half}, at::kFloat), sine = at::empty({count, 1, half}, at::kFloat);
  float* cosine_data = cosine.mutable_data_ptr<float>();
  float* sine_data = sine.mutable_data_ptr<float>();
  for (int64_t t = 0; t < count; t++) fill_row(shape, positions[t], cosine_data + t * half, sine_data + t * half);
  if (device.is_cpu()) return {cosine, sine};
  return {upload(cosine, device), upload(sine, device)};
}

void rotate(const at::Tensor& heads, const Rope& rope, bool inverse) {
  if (device_kernels(heads.device())) {
    const Rotate args{heads.data_ptr(),
                      rope.cosine.const_data_ptr<float>(),
                      rope.sine.const_data_ptr<float>(),
                      heads.size(0),
                      heads.size(1),
                      heads.size(2) / 2,
                      heads.stride(0),
                      inverse};
    DeviceQueue(heads).run(&DeviceKernels::rotate, heads.scalar_type(), args);
  } else if (heads.scalar_type() == at::kFloat) {
    rotate_rows<float>(heads, rope, inverse);
  } else {
    rotate_rows<c10::BFloat16>(heads, rope, inverse);
  }
}

}  // namespace magic
