#include "rollout/device_step.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <utility>

#include "cuda/device_kernels.h"
#include "policy/decoder.h"
#include "runtime/trace.h"

namespace magic {

DeviceStep::DeviceStep(const std::vector<int64_t>& slots, const std::vector<const BlockTable*>& tables,
                       at::Device device)
    : slots_(token_tensor(slots, device)) {
  const auto batch = static_cast<int64_t>(tables.size());
  if (batch == 0) return;
  size_t most = 0;
  for (const BlockTable* table : tables) {
    most = std::max(most, table->blocks.size());
    longest_ = std::max(longest_, table->length);
  }
  const at::Tensor blocks = at::zeros({batch, static_cast<int64_t>(most)}, at::kInt);
  const at::Tensor lengths = at::empty({batch}, at::kInt);
  auto *to = blocks.mutable_data_ptr<int32_t>(), *length = lengths.mutable_data_ptr<int32_t>();
  for (const BlockTable* table : tables) {
    std::transform(table->blocks.begin(), table->blocks.end(), to,
                   [](int64_t block) { return static_cast<int32_t>(block); });
    to += most;
    *length++ = static_cast<int32_t>(table->length);
  }
  blocks_ = upload(blocks, device);
  lengths_ = upload(lengths, device);
}

DeviceStep::DeviceStep(at::Tensor slots, at::Tensor blocks, at::Tensor lengths, int64_t longest)
    : slots_(std::move(slots)), blocks_(std::move(blocks)), lengths_(std::move(lengths)), longest_(longest) {}

void DeviceStep::store(const KvCache& cache, int64_t layer, const at::Tensor& keys, const at::Tensor& values) const {
  const StoreKeys args{.keys = keys.const_data_ptr(),
                       .values = values.const_data_ptr(),
                       .key_pool = cache.keys(layer).data_ptr(),
                       .value_pool = cache.values(layer).data_ptr(),
                       .slots = slots_.const_data_ptr<int64_t>(),
                       .tokens = keys.size(0),
                       .width = keys.size(1),
                       .stride = keys.stride(0)};
  DeviceQueue(keys).run(&DeviceKernels::store_keys, keys.scalar_type(), args);
}

int64_t DeviceStep::partial_size(const Shape& shape, int64_t batch, int64_t longest) {
  const int64_t splits = (longest + DecodeAttention::kSplit - 1) / DecodeAttention::kSplit;
  return batch * shape.head_count * splits * (shape.head_dim + 2);
}

at::Tensor DeviceStep::attend(const Shape& shape, const KvCache& cache, int64_t layer,
                              const at::Tensor& queries) const {
  const int64_t batch = queries.size(0);
  at::Tensor output = at::empty({batch, shape.head_count * shape.head_dim}, queries.options());
  const at::TensorOptions of_partial = queries.options().dtype(at::kFloat);
  attend(shape, cache, layer, queries, output, at::empty({partial_size(shape, batch, longest_)}, of_partial));
  return output;
}

void DeviceStep::attend(const Shape& shape, const KvCache& cache, int64_t layer, const at::Tensor& queries,
                        const at::Tensor& output, const at::Tensor& partial) const {
  const Span span("attention");
  const DecodeAttention args{.queries = queries.const_data_ptr(),
                             .key_pool = cache.keys(layer).const_data_ptr(),
                             .value_pool = cache.values(layer).const_data_ptr(),
                             .output = output.data_ptr(),
                             .blocks = blocks_.const_data_ptr<int32_t>(),
                             .lengths = lengths_.const_data_ptr<int32_t>(),
                             .partial = static_cast<float*>(partial.data_ptr()),
                             .batch = queries.size(0),
                             .key_value_heads = shape.key_value_head_count,
                             .group = shape.head_count / shape.key_value_head_count,
                             .dim = shape.head_dim,
                             .query_stride = queries.stride(0),
                             .blocks_a_row = blocks_.size(1),
                             .block_slots = kBlockSlots,
                             .longest = longest_};
  DeviceQueue(queries).run(&DeviceKernels::decode_attention, queries.scalar_type(), args);
}

}  // namespace magic
