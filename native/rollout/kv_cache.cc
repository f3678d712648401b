#include "rollout/kv_cache.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>

#include "policy/decoder.h"

namespace magic {

namespace {

// Rows of [n, width] into slots; on the CPU without an index tensor.
void write_rows(at::Tensor& pool, const std::vector<int64_t>& slots, const at::Tensor& rows) {
  if (!pool.is_cpu() || rows.scalar_type() != pool.scalar_type() || rows.stride(1) != 1) {
    pool.index_copy_(0, token_tensor(slots, pool.device()), rows);
    return;
  }
  const int64_t size = rows.element_size();
  const auto* from = static_cast<const char*>(rows.const_data_ptr());
  auto* to = static_cast<char*>(pool.mutable_data_ptr());
  for (size_t i = 0; i < slots.size(); i++) {
    std::memcpy(to + slots[i] * pool.stride(0) * size, from + static_cast<int64_t>(i) * rows.stride(0) * size,
                static_cast<size_t>(pool.size(1) * size));
  }
}

}  // namespace

KvCache::KvCache(const Shape& shape, at::Device device, at::ScalarType dtype)
    : options_(at::TensorOptions().device(device).dtype(dtype)),
      width_(shape.key_value_head_count * shape.head_dim),
      keys_(shape.layer_count),
      values_(shape.layer_count) {}

int64_t KvCache::block_bytes(const Shape& shape, at::ScalarType dtype) {
  const int64_t width = shape.key_value_head_count * shape.head_dim;
  return 2 * shape.layer_count * kBlockSlots * width * static_cast<int64_t>(c10::elementSize(dtype));
}

void KvCache::reserve(int64_t blocks, int64_t most_blocks) {
  if (holds(blocks)) return;
  const int64_t count = std::min(most_blocks, std::max({blocks, block_count_ * 2, int64_t{64}}));
  for (std::vector<at::Tensor>* pool : {&keys_, &values_}) {
    for (at::Tensor& layer : *pool) {
      at::Tensor larger = at::empty({count * kBlockSlots, width_}, options_);
      if (block_count_ > 0) larger.narrow(0, 0, block_count_ * kBlockSlots).copy_(layer);
      layer = std::move(larger);
    }
  }
  block_count_ = count;
}

void KvCache::copy(const std::vector<BlockCopy>& copies) {
  for (const BlockCopy& copy : copies) {
    for (std::vector<at::Tensor>* pool : {&keys_, &values_}) {
      for (at::Tensor& layer : *pool) {
        layer.narrow(0, copy.to * kBlockSlots, copy.slots).copy_(layer.narrow(0, copy.from * kBlockSlots, copy.slots));
      }
    }
  }
}

void KvCache::write(int64_t layer, const std::vector<int64_t>& slots, const at::Tensor& keys,
                    const at::Tensor& values) {
  write_rows(keys_[layer], slots, keys);
  write_rows(values_[layer], slots, values);
}

}  // namespace magic
