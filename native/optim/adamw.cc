#include "optim/adamw.h"

#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>

#include <optional>
#include <utility>

namespace magic {

double AdamW::gradient_norm(Weights& weights) {
  std::vector<at::Tensor> gradients;
  for (Parameter* parameter : weights.trained()) gradients.push_back(parameter->gradient);
  return at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients)).to(at::kDouble)).item<double>();
}

void AdamW::prepare(Weights& weights) {
  if (!first_.empty()) return;
  std::vector<at::Tensor> first, second;
  for (Parameter* parameter : weights.trained()) {
    first.push_back(at::zeros_like(parameter->master));
    second.push_back(at::zeros_like(parameter->master));
  }
  first_ = std::move(first);
  second_ = std::move(second);
}

std::vector<at::Tensor>& AdamW::first_moments(Weights& weights) {
  prepare(weights);
  return first_;
}

std::vector<at::Tensor>& AdamW::second_moments(Weights& weights) {
  prepare(weights);
  return second_;
}

void AdamW::step(Weights& weights, const OptimizerOptions& options, double scale) {
  prepare(weights);
  std::vector<at::Tensor> masters, gradients, steps;
  const auto count = static_cast<double>(step_count_ + 1);
  const at::TensorOptions float_options = at::TensorOptions().dtype(at::kFloat).device(weights.device);
  // The fused kernel wants the count, this update included, as one tensor a parameter.
  for (Parameter* parameter : weights.trained()) {
    masters.push_back(parameter->master);
    gradients.push_back(parameter->gradient);
    steps.push_back(at::full({}, count, float_options));
  }
  // The kernel divides the gradient by grad_scale (made for loss scaling): the clip costs no pass of its own.
  std::optional<at::Tensor> grad_scale;
  if (scale != 1.0) grad_scale = at::full({}, 1.0 / scale, float_options);
  at::_fused_adamw_(masters, gradients, first_, second_, {}, steps, options.learning_rate, options.beta1, options.beta2,
                    options.weight_decay, options.epsilon, /*amsgrad=*/false, /*maximize=*/false, grad_scale,
                    std::nullopt);
  step_count_ += 1;
  weights.refresh_values();
}

}  // namespace magic
