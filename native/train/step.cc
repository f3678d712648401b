#include "train/step.h"

#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <utility>

#include "loss/aggregation.h"
#include "loss/head.h"
#include "runtime/error.h"
#include "runtime/memory.h"
#include "runtime/trace.h"
#include "train/activation_budget.h"
#include "train/micro_batch.h"

namespace magic {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

ActivationMemory memory_of(Policy& policy) {
  Weights& weights = policy.weights();
  return {policy.shape(), weights.device, weights.dtype, weights.adapters().empty()};
}

void validate(Policy& policy, const TrainingBatch& batch, const LossOptions& options) {
  batch.validate(policy.shape().vocab_size, options);
  if (options.bfloat16_gradients && policy.weights().dtype == at::kFloat) {
    throw Error(
        "INVALID_ARGUMENT",
        "gradientDtype is \"bfloat16\", but the policy's dtype is float32: leave gradientDtype out, or load the "
        "policy with dtype bfloat16");
  }
}

at::ScalarType gradient_type(const LossOptions& options) {
  return options.bfloat16_gradients ? at::kBFloat16 : at::kFloat;
}

// At its end no gradient is there, whatever happened. `block_too`: as Weights::drop_gradients.
struct UsesUpGradients {
  Weights& weights;
  bool block_too;
  ~UsesUpGradients() { weights.drop_gradients(block_too); }
};

// One pass over all micro-batches. `tried`: what the one under way is to take.
StepStats accumulate_gradients(Policy& policy, const TrainingBatch& batch, const LossOptions& options,
                               const ActivationMemory& memory, const ActivationBudget& budget, int64_t& tried,
                               const Cancel& cancel) {
  Weights& weights = policy.weights();
  weights.zero_gradients(gradient_type(options));
  StepStats stats;
  stats.tokens = batch.kept_token_count();
  const std::vector<float> weights_of_tokens = aggregation_weights(batch, options);
  HeadSums sums;
  double difference = 0;
  const Fits fits = budget.fits(options.max_tokens_per_micro_batch);
  for (Packing& next : pack(batch, fits, options.share_prompts)) {
    cancel.check();
    Packing packing = std::move(next);  // its masks go with it
    packing.keep(batch.loss_mask);
    const int64_t rows = packing.token_count(), responses = static_cast<int64_t>(packing.rows.size());
    if (responses == 0) continue;
    Activations saved;
    const MicroBatchPlan plan = memory.plan(rows, responses, budget.bytes(), options.activation_checkpointing);
    saved.plan = plan.recompute;
    tried = memory.training(rows, responses, plan);
    packing.build_blocks(weights.device);
    const MicroBatch micro_batch(policy.shape(), weights, packing);
    at::Tensor hidden = micro_batch.forward(&saved);
    const PackedTokens tokens(packing, batch, weights_of_tokens);
    std::vector<float> logprobs(packing.rows.size()), entropy(packing.rows.size());
    at::Tensor d_hidden = at::empty_like(hidden);
    const HeadFinish finish_head = head_backward(hidden, weights.head().value, plan.logit_rows, tokens.view(), options,
                                                 d_hidden, weights.head().gradient, logprobs.data(), entropy.data());
    hidden.reset();
    cancel.check();
    micro_batch.backward(saved, std::move(d_hidden));
    sums += finish_head();
    for (size_t i = 0; i < tokens.sampler_logprobs.size(); i++) {
      const double apart = std::abs(static_cast<double>(logprobs[i]) - tokens.sampler_logprobs[i]);
      difference += apart;
      // Not a number stays.
      if (apart > stats.logprob_difference_max || std::isnan(apart)) stats.logprob_difference_max = apart;
    }
    stats.computed_tokens += rows;
    stats.micro_batches += 1;
    stats.activation_bytes = std::max(stats.activation_bytes, tried);
    stats.recomputed_layers = std::max(stats.recomputed_layers, saved.plan.layers + saved.plan.mlps);
  }
  const auto kept = static_cast<double>(stats.tokens);
  stats.loss = sums.loss;
  stats.policy_loss = sums.policy_loss;
  stats.entropy = sums.entropy / kept;
  stats.entropy_sampled = -sums.logprob / kept;
  stats.kl = sums.kl / kept;
  stats.approx_kl = sums.approx_kl / kept;
  stats.clip_fraction_low = static_cast<double>(sums.clipped_low) / kept;
  stats.clip_fraction_high = static_cast<double>(sums.clipped_high) / kept;
  stats.clip_fraction = stats.clip_fraction_low + stats.clip_fraction_high;
  stats.logprob_difference_mean = difference / kept;
  stats.grad_norm = AdamW::gradient_norm(weights);
  stats.skipped = !std::isfinite(stats.loss) || !std::isfinite(stats.grad_norm);
  return stats;
}

}  // namespace

Scores score(Policy& policy, const Batch& batch, const ScoreOptions& options, const Cancel& cancel) {
  const Span span("score");
  batch.validate(policy.shape().vocab_size);
  const int64_t responses = batch.response_token_count();
  Scores scores{std::vector<float>(responses), std::vector<float>(responses)};
  // A copy shares the tensors.
  Weights weights = options.adapter ? policy.weights() : policy.weights().base();
  const ActivationMemory memory = memory_of(policy);
  ActivationBudget budget(policy, memory, Pass::kScoring, options.activation_bytes, 0);
  scores.memory_retries = budget.retry(batch, [&](int64_t& tried) {
    scores.micro_batches = scores.activation_bytes = 0;
    for (Packing& next : pack(batch, budget.fits(options.max_tokens_per_micro_batch), true)) {
      cancel.check();
      Packing packing = std::move(next);  // its masks go with it
      const int64_t rows = packing.token_count(), responses = static_cast<int64_t>(packing.rows.size());
      const int64_t logit_rows = memory.scoring_logit_rows(rows, responses, budget.bytes());
      tried = memory.scoring(rows, responses, logit_rows);
      packing.build_blocks(weights.device);
      const at::Tensor hidden = MicroBatch(policy.shape(), weights, packing).forward(nullptr);
      std::vector<float> logprobs(responses), entropy(responses);
      head_score(hidden, weights.head().value, logit_rows, packing.targets.data(), options.temperature, logprobs.data(),
                 entropy.data());
      for (int64_t i = 0; i < responses; i++) {
        scores.logprobs[packing.response_indices[i]] = logprobs[i];
        scores.entropy[packing.response_indices[i]] = entropy[i];
      }
      scores.micro_batches += 1;
      scores.activation_bytes = std::max(scores.activation_bytes, tried);
    }
  });
  return scores;
}

StepStats compute_gradients(Policy& policy, const TrainingBatch& batch, const LossOptions& options,
                            const Cancel& cancel) {
  const Span span("gradients");
  const Clock::time_point start = Clock::now();
  validate(policy, batch, options);
  cancel.check();
  Weights& weights = policy.weights();
  weights.prepare_training();
  const ActivationMemory memory = memory_of(policy);
  const int64_t there = weights.gradients.defined() ? weights.gradients.numel() : 0;
  const int64_t gradients = weights.gradient_bytes(gradient_type(options)) - there;
  ActivationBudget budget(policy, memory, Pass::kTraining, options.activation_bytes, gradients);
  budget.require_fit(batch);
  StepStats stats;
  stats.memory_retries = budget.retry(batch, [&](int64_t& tried) {
    try {
      stats = accumulate_gradients(policy, batch, options, memory, budget, tried, cancel);
    } catch (...) {
      weights.drop_gradients(true);  // of a part of the batch
      throw;
    }
  });
  stats.seconds = seconds_since(start);
  stats.peak_memory_bytes = peak_memory_bytes(policy.weights().device);
  return stats;
}

StepStats train_step(Policy& policy, const TrainingBatch& batch, const LossOptions& loss,
                     const OptimizerOptions& optimizer, const Cancel& cancel) {
  validate(policy, batch, loss);
  // What outlives the activations goes before them: between them it would break up the memory that the next step's
  // take.
  policy.weights().prepare_training();
  policy.optimizer().first_moments(policy.weights());
  StepStats stats = compute_gradients(policy, batch, loss, cancel);
  const UsesUpGradients uses_up{policy.weights(), stats.recomputed_layers > 0 || !policy.weights().device.is_cpu()};
  cancel.check();
  const Span span("optimizer");
  const Clock::time_point start = Clock::now();
  if (!stats.skipped) {
    policy.keep_snapshots();
    const bool clip = optimizer.max_grad_norm > 0 && stats.grad_norm > optimizer.max_grad_norm;
    policy.optimizer().step(policy.weights(), optimizer, clip ? optimizer.max_grad_norm / (stats.grad_norm + 1e-6) : 1);
  }
  stats.optimizer_seconds = seconds_since(start);
  stats.seconds += stats.optimizer_seconds;
  stats.peak_memory_bytes = peak_memory_bytes(policy.weights().device);
  return stats;
}

}  // namespace magic
