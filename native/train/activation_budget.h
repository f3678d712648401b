#pragma once
// What a micro-batch may take, and how a batch is cut so that each does.

#include <cstdint>
#include <functional>

#include "policy/packing.h"
#include "policy/policy.h"
#include "train/activation_memory.h"
#include "train/batch.h"

namespace magic {

// What is taken of so many free bytes where the call does not say.
int64_t share_of_free(int64_t bytes);

// What a batch goes through: forward and backward, or the forward alone.
enum class Pass { kTraining, kScoring };

class ActivationBudget {
 public:
  // `given`: activationBytes of the call; 0: most of what is free, with the policy's states allocated and room left for
  // so many bytes more of gradients.
  ActivationBudget(Policy& policy, const ActivationMemory& memory, Pass pass, int64_t given, int64_t gradients);

  int64_t bytes() const { return bytes_; }
  // Throws where a sequence of the batch does not fit by itself, every layer computed again and few logits at once.
  void require_fit(const Batch& batch) const;
  // Micro-batches of at most `most_rows` rows that stay within it, if need be with every layer computed again.
  Fits fits(int64_t most_rows) const;
  // Calls `pass_over`, which says at each micro-batch how many bytes it is to take; anew with smaller ones where memory
  // ran out, for this policy from now on. Returns how often; throws once none of the batch can be smaller.
  int64_t retry(const Batch& batch, const std::function<void(int64_t& tried)>& pass_over);

 private:
  // Bytes of a micro-batch that is computed as `plan` says.
  int64_t planned(int64_t rows, int64_t responses, MicroBatchPlan plan) const;
  // The fewest of a sequence by itself.
  int64_t of_sequence(const Batch& batch, int64_t sequence) const;
  // After memory ran out at a micro-batch that was to take `tried` bytes: false where none of the batch can be smaller.
  bool lower(const Batch& batch, int64_t tried);

  Policy& policy_;
  const ActivationMemory& memory_;
  Pass pass_;
  int64_t given_;    // 0: not given
  int64_t allowed_;  // what is given, or follows from what is free
  int64_t bytes_;    // that, or less where more was refused before
};

}  // namespace magic
