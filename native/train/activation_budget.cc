#include "train/activation_budget.h"

#include <algorithm>
#include <exception>
#include <string>

#include "runtime/error.h"
#include "runtime/memory.h"

namespace magic {

// The rest is for what the process takes beside, and for what lies between blocks.
int64_t share_of_free(int64_t bytes) { return std::max<int64_t>(0, bytes) / 8 * 7; }

ActivationBudget::ActivationBudget(Policy& policy, const ActivationMemory& memory, Pass pass, int64_t given,
                                   int64_t gradients)
    : policy_(policy), memory_(memory), pass_(pass), given_(given), allowed_(given) {
  if (given < 0) {
    throw Error("INVALID_ARGUMENT",
                "activationBytes is " + std::to_string(given) + ": it must be 0 (most of the free memory) or more");
  }
  if (given == 0) allowed_ = share_of_free(free_memory_bytes(policy.weights().device) - gradients);
  bytes_ = std::min(allowed_, policy.activation_limit);
}

int64_t ActivationBudget::planned(int64_t rows, int64_t responses, MicroBatchPlan plan) const {
  return pass_ == Pass::kScoring ? memory_.scoring(rows, responses, plan.logit_rows)
                                 : memory_.training(rows, responses, plan);
}

int64_t ActivationBudget::of_sequence(const Batch& batch, int64_t sequence) const {
  const int64_t responses = batch.response_length(sequence);
  return planned(batch.prompt_lengths[sequence] + responses - 1, responses, memory_.least());
}

void ActivationBudget::require_fit(const Batch& batch) const {
  for (int64_t s = 0; s < batch.sequence_count(); s++) {
    if (batch.response_length(s) == 0) continue;
    const int64_t needed = of_sequence(batch, s);
    if (needed <= allowed_) continue;
    const std::string what = "sequence " + std::to_string(s) + " of " +
                             std::to_string(batch.offsets[s + 1] - batch.offsets[s]) + " tokens takes " +
                             std::to_string(needed) +
                             " bytes with every layer computed again and its logits a few rows at a time";
    if (given_ > 0) {
      throw Error("INVALID_ARGUMENT", "activationBytes is " + std::to_string(given_) + ": " + what +
                                          "; give at least that, 0 for most of the free memory, or shorter sequences "
                                          "(maxResponseLength)");
    }
    throw Error("OUT_OF_MEMORY", "activationBytes is 0, which is " + std::to_string(allowed_) +
                                     " of the free memory: " + what +
                                     "; train on shorter sequences (maxResponseLength), or give activationBytes "
                                     "to have it tried");
  }
}

Fits ActivationBudget::fits(int64_t most_rows) const {
  return [this, most_rows](int64_t rows, int64_t responses) {
    return rows <= most_rows && planned(rows, responses, memory_.everything()) <= bytes_;
  };
}

int64_t ActivationBudget::retry(const Batch& batch, const std::function<void(int64_t& tried)>& pass_over) {
  for (int64_t retries = 0;; retries++) {
    int64_t tried = 0;
    try {
      pass_over(tried);
      return retries;
    } catch (const std::exception& error) {
      if (!is_out_of_memory(error) || !lower(batch, tried)) throw;
    }
    return_free_memory();
  }
}

bool ActivationBudget::lower(const Batch& batch, int64_t tried) {
  int64_t least = 0;
  for (int64_t s = 0; s < batch.sequence_count(); s++) {
    if (batch.response_length(s) > 0) least = std::max(least, of_sequence(batch, s));
  }
  if (tried <= least) return false;
  bytes_ = policy_.activation_limit = std::max(tried / 2, least);
  return true;
}

}  // namespace magic
