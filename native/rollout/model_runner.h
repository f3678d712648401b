#pragma once
// Runs the policy over a step's chunks: new tokens of running sequences and pieces of prompts, in one pass.

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "policy/packing.h"
#include "policy/policy.h"
#include "rollout/device_decoder.h"
#include "rollout/device_step.h"
#include "rollout/kv_cache.h"
#include "rollout/scheduler.h"
#include "runtime/cancel.h"

namespace magic {

class ModelRunner {
 public:
  ModelRunner(Policy& policy, const Cancel& cancel);

  // Logits [n, V], float32 where they are sampled from (on the device, if it has kernels), after the last token of each
  // sequence of the step that is in the cache as a whole now; `sequences` names them.
  at::Tensor run(const Step& step, const BlockManager& blocks, std::vector<Sequence*>& sequences);

  // Whether `decode` takes the step: every chunk is the last token of a sequence that has started, and the device has
  // kernels for all of it.
  bool decodes(const Step& step) const;
  // The next token of each of the step's sequences.
  std::vector<SampledToken> decode(const Step& step, const BlockManager& blocks, const GenerateOptions& options);
  bool captures_graphs() const { return decoder_ && decoder_->captures(); }

 private:
  void prepare_cache(const Step& step, const BlockManager& blocks);
  at::Tensor attend(int64_t layer, const at::Tensor& qkv);
  at::Tensor attend_chunks(int64_t layer, const at::Tensor& qkv);

  const Shape& shape_;
  Weights& weights_;
  const Cancel& cancel_;
  KvCache cache_;
  std::optional<DeviceDecoder> decoder_;

  // Of the step under way: chunks of one token come first.
  std::vector<Chunk> singles_, longer_;
  std::vector<const BlockTable*> tables_;  // of the singles
  std::vector<int64_t> slots_;             // a row
  std::optional<DeviceStep> device_step_;  // tables and slots, where the device has kernels
  // The rows that the longer chunks attend over: for each what is in the cache of it, then its own.
  Packing context_;
  std::vector<int64_t> context_slots_;
};

}  // namespace magic
