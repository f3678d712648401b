#pragma once
// Keys and values of running sequences, in blocks of slots that sequences share where their prefixes are equal (vLLM's
// paged attention, Kwon et al. 2023). The pool grows as sequences do.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "policy/shape.h"

namespace magic {

// The blocks of one sequence, and how many of their slots are filled.
struct BlockTable {
  std::vector<int64_t> blocks;
  int64_t length = 0;
};

class KvCache {
 public:
  static constexpr int64_t kBlockSlots = 16;

  KvCache(const Shape& shape, at::Device device, at::ScalarType dtype);

  // Room for `count` more tokens at the end of a table. Returns their slots; a last block that other tables share is
  // copied first.
  std::vector<int64_t> extend(BlockTable& table, int64_t count);
  // A second table over the same blocks.
  BlockTable share(const BlockTable& table);
  void release(BlockTable& table);

  // Writes the keys and values of tokens, [n, Hkv D] each, into their slots [n] int64.
  void write(int64_t layer, const at::Tensor& slots, const at::Tensor& keys, const at::Tensor& values);

  // [slots, Hkv D]
  const at::Tensor& keys(int64_t layer) const { return keys_[layer]; }
  const at::Tensor& values(int64_t layer) const { return values_[layer]; }

 private:
  int64_t allocate_block();
  void grow();

  at::TensorOptions options_;
  int64_t width_;
  int64_t block_count_ = 0;
  std::vector<int32_t> users_;  // a block: tables that hold it
  std::vector<int64_t> free_;
  std::vector<at::Tensor> keys_, values_;  // a layer
};

}  // namespace magic
