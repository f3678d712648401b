#pragma once
// The head's matrix products, the same wherever its rows are computed.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace magic {

// The head's logits exist for some rows at a time, a chunk: in float32, and on the CPU, where the head is of bfloat16,
// with their gradient beside them. Larger chunks read and write the weight's gradient less often; beyond this many rows
// that takes memory for little time.
int64_t ample_chunk_rows(int64_t vocab_size, at::Device device, at::ScalarType dtype);
// Fewer read the weight and its gradient for next to nothing.
constexpr int64_t kLeastChunkRows = 16;
// Rows of each of the equal chunks of `count` rows, at most `most`.
int64_t chunk_rows(int64_t count, int64_t most);

// d logits [n, V] to d hidden [n, H], and added to the weight's gradient [V, H] where that is defined.
void add_head_gradients(const at::Tensor& d_logits, const at::Tensor& hidden, const at::Tensor& weight,
                        at::Tensor& hidden_gradient, at::Tensor& weight_gradient);

}  // namespace magic
