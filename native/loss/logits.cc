#include "loss/logits.h"

#include <ATen/ops/mm.h>

#include <algorithm>

#include "product/product.h"

namespace magic {

int64_t ample_chunk_rows(int64_t vocab_size, at::Device device, at::ScalarType dtype) {
  constexpr int64_t kBytesCpu = 104 << 20, kBytesCuda = 1024 << 20;
  const bool beside = device.is_cpu() && dtype == at::kBFloat16 && !multiplies_in_float32(device, dtype);
  const auto logit_bytes = static_cast<int64_t>(sizeof(float) + (beside ? sizeof(c10::BFloat16) : 0));
  return std::max(kLeastChunkRows, (device.is_cuda() ? kBytesCuda : kBytesCpu) / (vocab_size * logit_bytes));
}

int64_t chunk_rows(int64_t count, int64_t most) {
  const int64_t chunks = std::max<int64_t>(1, (count + most - 1) / most);
  return (count + chunks - 1) / chunks;
}

void add_head_gradients(const at::Tensor& d_logits, const at::Tensor& hidden, const at::Tensor& weight,
                        at::Tensor& hidden_gradient, at::Tensor& weight_gradient) {
  if (hidden_gradient.scalar_type() == d_logits.scalar_type()) {
    at::mm_out(hidden_gradient, d_logits, weight);
  } else {
    hidden_gradient.copy_(at::mm(d_logits, weight));
  }
  if (weight_gradient.defined()) accumulate_product(weight_gradient, d_logits, hidden);
}

}  // namespace magic
