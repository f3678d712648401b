#pragma once
// Where the keys and values of running sequences lie: a pool of blocks of slots for each layer (vLLM's paged attention,
// Kwon et al. 2023). Which block belongs to whom is the block manager's.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "policy/shape.h"
#include "rollout/block_manager.h"

namespace magic {

class KvCache {
 public:
  KvCache(const Shape& shape, at::Device device, at::ScalarType dtype);

  // Bytes of one block over all layers.
  static int64_t block_bytes(const Shape& shape, at::ScalarType dtype);

  bool holds(int64_t blocks) const { return blocks <= block_count_; }
  // Makes the pool at least so many blocks long, elsewhere in memory; it doubles, but not beyond `most_blocks`.
  void reserve(int64_t blocks, int64_t most_blocks);
  void copy(const std::vector<BlockCopy>& copies);
  // Writes the keys and values of tokens, [n, Hkv D] each, into their slots.
  void write(int64_t layer, const std::vector<int64_t>& slots, const at::Tensor& keys, const at::Tensor& values);

  // [slots, Hkv D]
  const at::Tensor& keys(int64_t layer) const { return keys_[layer]; }
  const at::Tensor& values(int64_t layer) const { return values_[layer]; }

 private:
  at::TensorOptions options_;
  int64_t width_;
  int64_t block_count_ = 0;
  std::vector<at::Tensor> keys_, values_;  // a layer
};

}  // namespace magic
