#pragma once
// What a micro-batch may take, and how a batch is cut so that each does.

#include <cstdint>

#include "policy/packing.h"
#include "policy/policy.h"
#include "train/activation_memory.h"
#include "train/batch.h"

namespace magic {

// What is taken of so many free bytes where the call does not say.
int64_t share_of_free(int64_t bytes);

class ActivationBudget {
 public:
  // `given`: activationBytes of the call; 0: most of what is free, with the policy's states allocated.
  ActivationBudget(Policy& policy, const ActivationMemory& memory, int64_t given);

  int64_t bytes() const { return bytes_; }
  // Throws where a sequence of the batch does not fit by itself, every layer computed again.
  void require_fit(const Batch& batch) const;
  // Micro-batches of at most `most_rows` rows that stay within it, if need be with every layer computed again.
  Fits training(int64_t most_rows) const;
  Fits scoring(int64_t most_rows) const;
  // After memory ran out at a micro-batch that was to take `tried` bytes: false where none of the batch can be smaller.
  bool lower(const Batch& batch, int64_t tried);

 private:
  int64_t of_sequence(const Batch& batch, int64_t sequence) const;

  Policy& policy_;
  const ActivationMemory& memory_;
  int64_t given_;    // 0: not given
  int64_t allowed_;  // what is given, or follows from what is free
  int64_t bytes_;    // that, or less where more was refused before
};

}  // namespace magic
