#include "optim/adamw.h"

#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "policy/master.h"

namespace magic {

namespace {

// Masters that are put together from halves exist for so many elements at a time; more on a device, where each time is
// some launches.
constexpr int64_t kJoinedCpu = 512 << 10, kJoinedCuda = 32 << 20;

// Elements of one parameter, all of one axis.
struct Piece {
  at::Tensor value, low_half, gradient, first, second;
};

}  // namespace

double AdamW::gradient_norm(Weights& weights) {
  std::vector<at::Tensor> gradients;
  for (Parameter* parameter : weights.trained()) {
    const at::Tensor& gradient = parameter->gradient;
    // On the CPU the norm is taken of a float32 copy.
    const bool copied = gradient.is_cpu() && gradient.scalar_type() != at::kFloat;
    const int64_t size = gradient.numel(), most = copied ? kJoinedCpu : size;
    for (int64_t start = 0; start < size; start += most) {
      gradients.push_back(elements(gradient, start, std::min(start + most, size)));
    }
  }
  const std::vector<at::Tensor> norms = at::_foreach_norm(gradients, 2, at::kFloat);
  return at::linalg_vector_norm(at::stack(norms).to(at::kDouble)).item<double>();
}

void AdamW::prepare(Weights& weights) {
  if (!first_.empty()) return;
  std::vector<at::Tensor> first, second;
  const at::TensorOptions float_options = at::TensorOptions().dtype(at::kFloat).device(weights.device);
  for (Parameter* parameter : weights.trained()) {
    first.push_back(at::zeros(parameter->value.sizes(), float_options));
    second.push_back(at::zeros(parameter->value.sizes(), float_options));
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
  const auto count = static_cast<double>(step_count_ + 1);
  const at::TensorOptions float_options = at::TensorOptions().dtype(at::kFloat).device(weights.device);
  // The kernel divides the gradient by grad_scale (made for loss scaling): the clip costs no pass of its own.
  std::optional<at::Tensor> grad_scale;
  if (scale != 1.0) grad_scale = at::full({}, 1.0 / scale, float_options);

  std::vector<Piece> pieces;
  int64_t to_join = 0;  // elements of the pieces whose masters are in halves
  const auto update = [&] {
    if (pieces.empty()) return;  // without tensors the kernel fails
    std::vector<at::Tensor> masters, gradients, first, second, steps;
    for (const Piece& piece : pieces) {
      masters.push_back(join_master(piece.value, piece.low_half));
      gradients.push_back(piece.gradient.to(at::kFloat));
      first.push_back(piece.first);
      second.push_back(piece.second);
      // The fused kernel wants the count, this update included, as one tensor a parameter.
      steps.push_back(at::full({}, count, float_options));
    }
    at::_fused_adamw_(masters, gradients, first, second, {}, steps, options.learning_rate, options.beta1, options.beta2,
                      options.weight_decay, options.epsilon, /*amsgrad=*/false, /*maximize=*/false, grad_scale,
                      std::nullopt);
    for (size_t i = 0; i < pieces.size(); i++) {
      if (pieces[i].low_half.defined()) split_master(masters[i], pieces[i].value, pieces[i].low_half);
    }
    pieces.clear();
    to_join = 0;
  };
  const int64_t joined = weights.device.is_cpu() ? kJoinedCpu : kJoinedCuda;
  const std::vector<Parameter*> parameters = weights.trained();
  const bool rounded = std::any_of(parameters.begin(), parameters.end(), [](const Parameter* parameter) {
    return parameter->gradient.scalar_type() != at::kFloat;
  });
  // Where there is no memory for it, that shows before anything has changed.
  if (weights.dtype != at::kFloat) at::empty({(rounded ? 5 : 4) * joined}, float_options);
  for (size_t i = 0; i < parameters.size(); i++) {
    Parameter& parameter = *parameters[i];
    const int64_t size = parameter.value.numel(), most = parameter.low_half.defined() ? joined : size;
    for (int64_t start = 0; start < size; start += most) {
      const int64_t end = std::min(start + most, size);
      const auto part = [start, end](const at::Tensor& all) { return all.defined() ? elements(all, start, end) : all; };
      if (parameter.low_half.defined() && to_join + end - start > joined) update();
      pieces.push_back({part(parameter.value), part(parameter.low_half), part(parameter.gradient), part(first_[i]),
                        part(second_[i])});
      if (parameter.low_half.defined()) to_join += end - start;
    }
  }
  update();
  step_count_ += 1;
}

}  // namespace magic
