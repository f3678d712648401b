#pragma once
// The calls that compute on a batch: scoring, gradients, one update.

#include "policy/policy.h"
#include "runtime/cancel.h"
#include "train/batch.h"

namespace magic {

Scores score(Policy& policy, const Batch& batch, const ScoreOptions& options, const Cancel& cancel);

// Gradients of the loss (Skywork-OR1, eq 3.1), accumulated over micro-batches.
StepStats compute_gradients(Policy& policy, const TrainingBatch& batch, const LossOptions& options,
                            const Cancel& cancel);

// compute_gradients, then AdamW, which uses the gradients up; skipped and reported when the loss or the gradient norm
// is not finite.
StepStats train_step(Policy& policy, const TrainingBatch& batch, const LossOptions& loss,
                     const OptimizerOptions& optimizer, const Cancel& cancel);

}  // namespace magic
