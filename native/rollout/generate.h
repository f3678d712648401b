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

  void validate(int64_t vocab_size) const;
};

struct Completion {
  std::vector<int32_t> token_ids;  // with the stop token
  std::vector<float> logprobs;
  std::vector<float> entropy;
  bool stopped = false;  // false: max_new_tokens was reached
};

struct GenerateReports {
  std::function<void(int64_t, int64_t)> progress;  // tokens sampled so far, completions finished
  // A prompt whose completions are all finished, while others go on.
  std::function<void(size_t, const std::vector<Completion>&)> group;
};

std::vector<std::vector<Completion>> generate(Policy& policy, const std::vector<GeneratePrompt>& prompts,
                                              const GenerateOptions& options, const Cancel& cancel,
                                              const GenerateReports& reports);

}  // namespace magic
