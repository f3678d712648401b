#include "rollout/device_decoder.h"

#include "runtime/trace.h"

namespace magic {

namespace {

// The first times of a size are queued as they are: libraries load their kernels, which can't be captured, and sizes
// that soon pass cost no capture.
constexpr int64_t kUncaptured = 2;
// One that is refused may be another thread's doing: the next step of the size is captured anew.
constexpr int64_t kMostRefused = 3;
// Each has some megabytes on the device.
constexpr size_t kMostSizes = 64;

}  // namespace

DeviceDecoder::DeviceDecoder(const Shape& shape, Weights& weights, const KvCache& cache)
    : device_(weights.device), cache_(cache), batch_(shape, weights.device), forward_(shape, weights) {}

std::vector<SampledToken> DeviceDecoder::decode(const std::vector<Sequence*>& sequences,
                                                const GenerateOptions& options) {
  const DecodeSize size = DecodeSize::of(sequences);
  if (!batch_.holds(size) || !forward_.holds(size)) {
    drop_graphs();
    batch_.reserve(size);
    forward_.reserve(size);
  }
  batch_.send(sequences, size);
  run(size, options);
  const Span span("sample");
  return batch_.fetch(size, static_cast<int64_t>(sequences.size()));
}

void DeviceDecoder::run(DecodeSize size, const GenerateOptions& options) {
  if (sizes_.size() == kMostSizes && !sizes_.contains(size)) drop_graphs();
  Seen& seen = sizes_[size];
  if (!seen.graph) {
    // By value, as a graph keeps the addresses that it was captured with.
    const auto work = [this, &options, cache = cache_, tensors = batch_.tensors(size)] {
      forward_.run(cache, tensors, options);
    };
    if (!captures_ || seen.times++ < kUncaptured) return work();
    seen.graph = DeviceGraph::record(device_, work);
    if (!seen.graph) {
      captures_ = ++refused_ < kMostRefused;
      return work();
    }
  }
  seen.graph->replay();
}

}  // namespace magic
