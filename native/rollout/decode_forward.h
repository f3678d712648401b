#pragma once
// The decoder over one new token a sequence, for devices with kernels: what `decoder_forward`, the head and the sampler
// compute, but in memory of its own that is there before, so that a graph can be captured of it.

#include <ATen/core/Tensor.h>

#include "policy/policy.h"
#include "rollout/decode_batch.h"
#include "rollout/kv_cache.h"

namespace magic {

class DecodeForward {
 public:
  DecodeForward(const Shape& shape, Weights& weights);

  bool holds(DecodeSize size) const;
  // Makes room for this size, elsewhere in memory.
  void reserve(DecodeSize size);
  // Writes keys and values into the cache, and the results. Asks for no memory on a GPU, and does not wait.
  void run(const KvCache& cache, const DecodeTensors& tensors, const GenerateOptions& options);

 private:
  at::Tensor rows_of(const at::Tensor& buffer, int64_t rows) const { return buffer.narrow(0, 0, rows); }
  void layer(int64_t index, const KvCache& cache, const DecodeTensors& tensors, at::Tensor& hidden);

  const Shape& shape_;
  Weights& weights_;
  int64_t adapter_width_ = 0;  // the most of targets r of a layer's matrix
  // [rows, ...]: x; what norms give; what linear layers give; low: A's part of an adapter
  at::Tensor hidden_, normal_, qkv_, attended_, projected_, gate_up_, product_, low_, logits_;
  at::Tensor partial_;  // of decode attention
};

}  // namespace magic
