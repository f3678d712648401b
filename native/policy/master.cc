#include "policy/master.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>

#include <cstdint>
#include <limits>

namespace magic {

// As integers, master = value * 2^16 + low_half with a low half of either sign: rounding the value up left a negative
// one.

namespace {

// On the CPU in one pass, where tensor operations take six.
bool in_one_pass(const at::Tensor& value, const at::Tensor& low_half) {
  return value.is_cpu() && value.is_contiguous() && low_half.is_contiguous();
}

template <typename T>
T* bits_of(const at::Tensor& t) {
  return static_cast<T*>(t.data_ptr());
}

template <typename Body>
void for_elements(int64_t count, const Body& body) {
  at::parallel_for(0, count, 1 << 15, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) body(i);
  });
}

}  // namespace

at::Tensor join_master(const at::Tensor& value, const at::Tensor& low_half) {
  if (!low_half.defined()) return value.to(at::kFloat);
  if (in_one_pass(value, low_half)) {
    at::Tensor master = at::empty_like(value, at::kFloat);
    const auto* high = bits_of<uint16_t>(value);
    const auto* low = bits_of<int16_t>(low_half);
    auto* out = bits_of<uint32_t>(master);
    for_elements(value.numel(), [=](int64_t i) {
      out[i] = (static_cast<uint32_t>(high[i]) << 16) + static_cast<uint32_t>(static_cast<int32_t>(low[i]));
    });
    return master;
  }
  return value.view(at::kShort).to(at::kInt).bitwise_left_shift_(16).add_(low_half).view(at::kFloat);
}

void split_master(const at::Tensor& master, at::Tensor value, at::Tensor low_half) {
  if (!low_half.defined()) {
    value.copy_(master);
    return;
  }
  if (in_one_pass(value, low_half) && master.is_contiguous()) {
    const auto* from = bits_of<uint32_t>(master);
    auto *high = bits_of<uint16_t>(value), *low = bits_of<uint16_t>(low_half);
    for_elements(master.numel(), [=](int64_t i) {
      const uint32_t bits = from[i];
      constexpr uint32_t kInfinity = 0x7f800000, kMagnitude = 0x7fffffff;
      low[i] = static_cast<uint16_t>(bits);
      // The sum may leave what is no number.
      high[i] = static_cast<uint16_t>((bits & kMagnitude) > kInfinity ? 0x7fc0 : (bits + 0x8000) >> 16);
    });
    return;
  }
  const at::Tensor bits = master.view(at::kInt);
  low_half.copy_(bits);  // its low 16 bits
  value.view(at::kShort).copy_((bits + 0x8000).bitwise_right_shift_(16));
  // The sum may leave what is no number.
  value.masked_fill_(master.isnan(), std::numeric_limits<float>::quiet_NaN());
}

}  // namespace magic
