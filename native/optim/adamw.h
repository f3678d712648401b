#pragma once
// AdamW (Loshchilov and Hutter, 2019) on float32 masters and moments, with the global-norm clip folded into the update.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "policy/weights.h"
#include "train/batch.h"

namespace magic {

class AdamW {
 public:
  // Global 2-norm of the gradients of all that is trained.
  static double gradient_norm(Weights& weights);
  // One update; gradients are multiplied by `scale` (the clip) on the way.
  void step(Weights& weights, const OptimizerOptions& options, double scale);

  int64_t step_count() const { return step_count_; }
  bool has_moments() const { return !first_.empty(); }
  // Moments in the order of weights.trained(), allocated as zeros at first need.
  std::vector<at::Tensor>& first_moments(Weights& weights);
  std::vector<at::Tensor>& second_moments(Weights& weights);
  void set_step_count(int64_t count) { step_count_ = count; }
  // Starts anew: no moments, no steps.
  void reset() { *this = AdamW(); }

 private:
  void prepare(Weights& weights);

  int64_t step_count_ = 0;
  std::vector<at::Tensor> first_;   // exp_avg
  std::vector<at::Tensor> second_;  // exp_avg_sq
};

}  // namespace magic
