#pragma once
// What a run takes, before anything of it is allocated.

#include <cstdint>
#include <optional>

#include "policy/adapter.h"
#include "policy/shape.h"

namespace magic {

// Sizes of a run at their largest. R response tokens.
struct RunSizes {
  at::Device device{at::kCPU};
  at::ScalarType dtype = at::kFloat;
  std::optional<LoraOptions> lora;
  bool reference = false;                                   // a second copy of the weights scores
  int64_t sequence_rows = 0, sequence_responses = 0;        // of the longest sequence
  int64_t micro_batch_rows = 0, micro_batch_responses = 0;  // as maxTokensPerMicroBatch allows
  int64_t activation_bytes = 0;
  bool activation_checkpointing = false;
  at::ScalarType gradient_dtype = at::kFloat;
  int64_t batch_size = 0;     // sequences sampled at once; 0: none are
  int64_t cached_tokens = 0;  // of all of them and of their prompts
  int64_t kv_cache_bytes = 0;
};

struct MemoryPrediction {
  int64_t process = 0;    // resident now, on the CPU
  int64_t weights = 0;    // in the compute type
  int64_t reference = 0;  // the same of a reference policy
  int64_t optimizer = 0;  // both moments, and the halves of masters that are not in the weights
  int64_t gradients = 0;
  bool gradients_stay = false;  // between updates; else they are there while one is computed
  int64_t activations = 0;      // of a micro-batch
  int64_t recomputed_layers = 0;
  int64_t kv_cache = 0;
  int64_t sampling = 0;  // beside the cache
  int64_t snapshot = 0;  // while a checkpoint is written and the next update does not wait
  int64_t free = 0;      // now
  // the fewest that the longest sequence takes, every layer computed again and few logits at once; what there is for it
  int64_t least_activations = 0, activation_budget = 0;

  // The most at once, but for a snapshot: rollout and update take turns.
  int64_t peak() const;
};

MemoryPrediction predict_memory(const Shape& shape, const RunSizes& sizes);

}  // namespace magic
