#include "loss/logits.h"

#include <ATen/ops/mm.h>

#include <algorithm>

#include "policy/linear.h"

namespace magic {

// A chunk of logits stays within this many bytes. Larger chunks read and write the weight gradient less often.
static constexpr int64_t kChunkBytesCpu = 72 << 20, kChunkBytesCuda = 1024 << 20;

// Equal chunks: one of a few rows would read the weight and its gradient for next to nothing.
int64_t chunk_rows(int64_t vocab_size, int64_t count, bool cuda) {
  const int64_t bytes = cuda ? kChunkBytesCuda : kChunkBytesCpu;
  const int64_t most = std::max<int64_t>(16, bytes / (vocab_size * static_cast<int64_t>(sizeof(float))));
  const int64_t chunks = std::max<int64_t>(1, (count + most - 1) / most);
  return (count + chunks - 1) / chunks;
}

int64_t chunk_rows(const at::Tensor& weight, int64_t count) {
  return chunk_rows(weight.size(0), count, weight.is_cuda());
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
