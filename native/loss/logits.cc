#include "loss/logits.h"

#include <ATen/ops/mm.h>

#include <algorithm>

#include "policy/linear.h"

namespace magic {

int64_t ample_chunk_rows(int64_t vocab_size, bool cuda) {
  constexpr int64_t kBytesCpu = 104 << 20, kBytesCuda = 1024 << 20;
  const int64_t rows = (cuda ? kBytesCuda : kBytesCpu) / (vocab_size * static_cast<int64_t>(sizeof(float)));
  return std::max(kLeastChunkRows, rows);
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
