#pragma once
// What a decode step sends to the device and fetches from it, always at the same addresses: one transfer each way.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "policy/rope.h"
#include "policy/shape.h"
#include "rollout/device_step.h"
#include "rollout/sampler.h"
#include "rollout/scheduler.h"

namespace magic {

// The size of a decode step, rounded up so that few sizes serve all steps. What is beyond the sequences has no slot and
// no length, and what is drawn for it is passed over.
struct DecodeSize {
  int64_t rows, splits;  // splits: of DecodeAttention::kSplit positions, of the longest sequence

  static DecodeSize of(const std::vector<Sequence*>& sequences);
  // Of the longest sequence that this size serves.
  int64_t longest() const;
  auto operator<=>(const DecodeSize&) const = default;
};

// On the device: tokens, seeds and counters [rows] int64, results [3, rows] float32.
struct DecodeTensors {
  at::Tensor tokens, seeds, counters;
  Rope rope;
  DeviceStep step;
  at::Tensor results;
};

class DecodeBatch {
 public:
  DecodeBatch(const Shape& shape, at::Device device);

  bool holds(DecodeSize size) const;
  // Makes room for this size, elsewhere in memory.
  void reserve(DecodeSize size);
  DecodeTensors tensors(DecodeSize size) const;
  // The last token of each sequence, which alone is not in the cache; its slot is in the table.
  void send(const std::vector<Sequence*>& sequences, DecodeSize size);
  // Waits for what `tensors(size).results` are.
  std::vector<SampledToken> fetch(DecodeSize size, int64_t count);

 private:
  struct Layout;

  const Shape& shape_;
  at::Device device_;
  RopeTable rope_;
  // Bytes; those on the host are pinned.
  at::Tensor host_, device_bytes_, host_results_, results_;
};

}  // namespace magic
