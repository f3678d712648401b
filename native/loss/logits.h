#pragma once
// The head's matrix products, the same wherever its rows are computed.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace magic {

// Rows of a chunk of logits out of `count`.
int64_t chunk_rows(int64_t vocab_size, int64_t count, bool cuda);
int64_t chunk_rows(const at::Tensor& weight, int64_t count);

// d logits [n, V] to d hidden [n, H], and added to the weight's gradient [V, H] where that is defined.
void add_head_gradients(const at::Tensor& d_logits, const at::Tensor& hidden, const at::Tensor& weight,
                        at::Tensor& hidden_gradient, at::Tensor& weight_gradient);

}  // namespace magic
