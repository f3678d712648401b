#pragma once
// Sampling of completions from a policy with a KV cache.

#include <cstdint>
#include <functional>
#include <vector>

#include "runtime/cancel.h"

namespace magic {

class Policy;

struct GeneratePrompt {
  std::vector<int32_t> token_ids;
  std::vector<uint64_t> seeds;            // one a completion
  std::vector<int32_t> max_new_tokens{};  // one a completion, at most the call's; empty: the call's for all
};

struct GenerateOptions {
  int64_t max_new_tokens = 0;
  double temperature = 1.0;  // 0: greedy, log-probs and entropies at temperature 1
  double top_p = 1.0;        // 1: off
  int64_t top_k = 0;         // 0: off
  std::vector<int32_t> stop_token_ids;
  int64_t max_batch_size = 256;
  int64_t kv_cache_bytes = 0;  // most memory of keys and values; 0: half of what is free

  void validate(int64_t vocab_size) const;
};

struct Completion {
  std::vector<int32_t> token_ids;  // with the stop token
  std::vector<float> logprobs;
  std::vector<float> entropy;
  bool stopped = false;  // false: max_new_tokens was reached
};

struct GenerateStats {
  // Prompt tokens that were computed, and those that were found in the cache; sequences that gave up their blocks.
  int64_t computed_prompt_tokens, shared_prompt_tokens, preemptions;
  int64_t peak_cache_tokens;  // slots that were taken at once
};

struct Generated {
  std::vector<std::vector<Completion>> groups;
  GenerateStats stats;
};

struct GenerateReports {
  std::function<void(int64_t, int64_t)> progress;  // tokens sampled so far, completions finished
  // A prompt whose completions are all finished, while others go on.
  std::function<void(size_t, const std::vector<Completion>&)> group;
};

// Where the cache is full the youngest sequence gives up its blocks and is computed again later.
Generated generate(Policy& policy, const std::vector<GeneratePrompt>& prompts, const GenerateOptions& options,
                   const Cancel& cancel, const GenerateReports& reports);

}  // namespace magic
