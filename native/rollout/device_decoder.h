#pragma once
// Decode steps on a device with kernels. A size that comes again is captured in a graph: a step is then one transfer to
// the device, one launch, one transfer back.

#include <map>
#include <memory>
#include <vector>

#include "cuda/device_graph.h"
#include "policy/policy.h"
#include "rollout/decode_batch.h"
#include "rollout/decode_forward.h"
#include "rollout/kv_cache.h"

namespace magic {

class DeviceDecoder {
 public:
  DeviceDecoder(const Shape& shape, Weights& weights, const KvCache& cache);

  // The next token of each sequence, of which all but the last token is in the cache and that one has its slot.
  std::vector<SampledToken> decode(const std::vector<Sequence*>& sequences, const GenerateOptions& options);
  // Before the cache moves.
  void drop_graphs() { sizes_.clear(); }
  // A step that could not be captured is queued kernel by kernel. False once that was so often: then all steps are.
  bool captures() const { return captures_; }

 private:
  struct Seen {
    int64_t times = 0;
    std::unique_ptr<DeviceGraph> graph;
  };

  void run(DecodeSize size, const GenerateOptions& options);

  at::Device device_;
  const KvCache& cache_;
  DecodeBatch batch_;
  DecodeForward forward_;
  std::map<DecodeSize, Seen> sizes_;
  int64_t refused_ = 0;
  bool captures_ = true;
};

}  // namespace magic
