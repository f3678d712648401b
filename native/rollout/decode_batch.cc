#include "rollout/decode_batch.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <bit>

#include "cuda/kernels.h"

namespace magic {

namespace {

// Up to 8 a power of two, then at most an eighth more, and by eights.
int64_t padded_rows(int64_t rows) {
  const int64_t power = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(rows)));
  if (rows <= 8) return power;
  const int64_t step = std::max<int64_t>(8, power / 16);
  return (rows + step - 1) / step * step;
}

int64_t padded_splits(int64_t longest) {
  const int64_t splits = (longest + DecodeAttention::kSplit - 1) / DecodeAttention::kSplit;
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(splits)));
}

}  // namespace

DecodeSize DecodeSize::of(const std::vector<Sequence*>& sequences) {
  int64_t longest = 1;
  for (const Sequence* sequence : sequences) longest = std::max(longest, sequence->table.length);
  return {padded_rows(static_cast<int64_t>(sequences.size())), padded_splits(longest)};
}

int64_t DecodeSize::longest() const { return splits * DecodeAttention::kSplit; }

// Where each array begins in the bytes that are sent, those of 8 bytes an element first.
struct DecodeBatch::Layout {
  Layout(DecodeSize size, int64_t half)
      : rows(size.rows),
        width(size.longest() / kBlockSlots),
        tokens(0),
        slots(tokens + rows * 8),
        seeds(slots + rows * 8),
        counters(seeds + rows * 8),
        cosines(counters + rows * 8),
        sines(cosines + rows * half * 4),
        lengths(sines + rows * half * 4),
        blocks(lengths + rows * 4),
        bytes(blocks + rows * width * 4) {}

  int64_t rows, width;  // width: blocks a row
  int64_t tokens, slots, seeds, counters, cosines, sines, lengths, blocks, bytes;
};

DecodeBatch::DecodeBatch(const Shape& shape, at::Device device) : shape_(shape), device_(device), rope_(shape) {}

bool DecodeBatch::holds(DecodeSize size) const {
  return host_.defined() && Layout(size, shape_.head_dim / 2).bytes <= host_.numel() &&
         3 * size.rows <= results_.numel();
}

void DecodeBatch::reserve(DecodeSize size) {
  const auto both = [&](at::Tensor& host, at::Tensor& device, int64_t count, at::ScalarType type) {
    if (host.defined()) count = std::max(count, host.numel());
    host = at::empty({count}, at::TensorOptions(type).pinned_memory(!device_.is_cpu()));
    device = at::empty({count}, at::TensorOptions(type).device(device_));
  };
  both(host_, device_bytes_, Layout(size, shape_.head_dim / 2).bytes, at::kByte);
  both(host_results_, results_, 3 * size.rows, at::kFloat);
}

DecodeTensors DecodeBatch::tensors(DecodeSize size) const {
  const int64_t half = shape_.head_dim / 2;
  const Layout layout(size, half);
  const auto at = [&](int64_t begin, at::ScalarType type, std::vector<int64_t> sizes) {
    int64_t bytes = static_cast<int64_t>(c10::elementSize(type));
    for (const int64_t each : sizes) bytes *= each;
    return device_bytes_.narrow(0, begin, bytes).view(type).view(sizes);
  };
  const int64_t rows = size.rows;
  return {at(layout.tokens, at::kLong, {rows}),
          at(layout.seeds, at::kLong, {rows}),
          at(layout.counters, at::kLong, {rows}),
          {at(layout.cosines, at::kFloat, {rows, 1, half}), at(layout.sines, at::kFloat, {rows, 1, half})},
          DeviceStep(at(layout.slots, at::kLong, {rows}), at(layout.blocks, at::kInt, {rows, layout.width}),
                     at(layout.lengths, at::kInt, {rows}), size.longest()),
          results_.narrow(0, 0, 3 * rows).view({3, rows})};
}

void DecodeBatch::send(const std::vector<Sequence*>& sequences, DecodeSize size) {
  const int64_t half = shape_.head_dim / 2, count = static_cast<int64_t>(sequences.size());
  const Layout layout(size, half);
  char* bytes = static_cast<char*>(host_.data_ptr());
  const auto longs = [&](int64_t begin) { return reinterpret_cast<int64_t*>(bytes + begin); };
  const auto ints = [&](int64_t begin) { return reinterpret_cast<int32_t*>(bytes + begin); };
  const auto floats = [&](int64_t begin) { return reinterpret_cast<float*>(bytes + begin); };
  for (int64_t i = 0; i < count; i++) {
    const Sequence& sequence = *sequences[i];
    const BlockTable& table = sequence.table;
    const int64_t position = table.length - 1;
    longs(layout.tokens)[i] = sequence.tokens[position];
    longs(layout.slots)[i] = table.slot(position);
    longs(layout.seeds)[i] = static_cast<int64_t>(sequence.seed);
    longs(layout.counters)[i] = sequence.sampled();
    const std::vector<float>& rope = rope_.row(position);
    std::copy_n(rope.data(), half, floats(layout.cosines) + i * half);
    std::copy_n(rope.data() + half, half, floats(layout.sines) + i * half);
    ints(layout.lengths)[i] = static_cast<int32_t>(table.length);
    // What a row has beyond its sequence is never looked up.
    std::transform(table.blocks.begin(), table.blocks.begin() + position / kBlockSlots + 1,
                   ints(layout.blocks) + i * layout.width, [](int64_t block) { return static_cast<int32_t>(block); });
  }
  const int64_t others = size.rows - count;
  std::fill_n(longs(layout.slots) + count, others, -1);
  std::fill_n(ints(layout.lengths) + count, others, 0);
  for (const int64_t begin : {layout.tokens, layout.seeds, layout.counters})
    std::fill_n(longs(begin) + count, others, 0);
  for (const int64_t begin : {layout.cosines, layout.sines}) {
    std::fill_n(floats(begin) + count * half, others * half, 0.0f);
  }
  // The host's memory is written again only after `fetch` has waited for this.
  device_bytes_.narrow(0, 0, layout.bytes).copy_(host_.narrow(0, 0, layout.bytes), /*non_blocking=*/true);
}

std::vector<SampledToken> DecodeBatch::fetch(DecodeSize size, int64_t count) {
  const int64_t values = 3 * size.rows;
  const at::Tensor host = host_results_.narrow(0, 0, values);
  host.copy_(results_.narrow(0, 0, values));
  return sampled_tokens(host.view({3, size.rows}), count);
}

}  // namespace magic
