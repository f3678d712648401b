#include "rollout/kv_cache.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace magic {

KvCache::KvCache(const Shape& shape, at::Device device, at::ScalarType dtype)
    : options_(at::TensorOptions().device(device).dtype(dtype)),
      width_(shape.key_value_head_count * shape.head_dim),
      keys_(shape.layer_count),
      values_(shape.layer_count) {}

void KvCache::grow() {
  const int64_t count = std::max<int64_t>(64, block_count_ * 2);
  for (std::vector<at::Tensor>* pool : {&keys_, &values_}) {
    for (at::Tensor& layer : *pool) {
      at::Tensor larger = at::empty({count * kBlockSlots, width_}, options_);
      if (block_count_ > 0) larger.narrow(0, 0, block_count_ * kBlockSlots).copy_(layer);
      layer = std::move(larger);
    }
  }
  users_.resize(count, 0);
  for (int64_t block = count - 1; block >= block_count_; block--) free_.push_back(block);
  block_count_ = count;
}

int64_t KvCache::allocate_block() {
  if (free_.empty()) grow();
  const int64_t block = free_.back();
  free_.pop_back();
  users_[block] = 1;
  return block;
}

std::vector<int64_t> KvCache::extend(BlockTable& table, int64_t count) {
  std::vector<int64_t> slots;
  for (int64_t i = 0; i < count; i++, table.length++) {
    const int64_t offset = table.length % kBlockSlots;
    if (offset == 0) {
      table.blocks.push_back(allocate_block());
    } else if (users_[table.blocks.back()] > 1) {
      const int64_t shared = table.blocks.back(), own = allocate_block();
      for (std::vector<at::Tensor>* pool : {&keys_, &values_}) {
        for (at::Tensor& layer : *pool) {
          layer.narrow(0, own * kBlockSlots, offset).copy_(layer.narrow(0, shared * kBlockSlots, offset));
        }
      }
      users_[shared]--;
      table.blocks.back() = own;
    }
    slots.push_back(table.blocks.back() * kBlockSlots + offset);
  }
  return slots;
}

BlockTable KvCache::share(const BlockTable& table) {
  for (int64_t block : table.blocks) users_[block]++;
  return table;
}

void KvCache::release(BlockTable& table) {
  for (int64_t block : table.blocks) {
    if (--users_[block] == 0) free_.push_back(block);
  }
  table = {};
}

void KvCache::write(int64_t layer, const at::Tensor& slots, const at::Tensor& keys, const at::Tensor& values) {
  keys_[layer].index_copy_(0, slots, keys);
  values_[layer].index_copy_(0, slots, values);
}

}  // namespace magic
