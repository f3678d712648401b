#pragma once
// The share of each response token in the loss of a whole update: whatever the micro-batches, their sums are the loss.

#include <vector>

#include "train/batch.h"

namespace magic {

// [R], loss scale included; 0 where the loss mask is 0.
std::vector<float> aggregation_weights(const TrainingBatch& batch, const LossOptions& options);

}  // namespace magic
