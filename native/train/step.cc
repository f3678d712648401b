#include "train/step.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "loss/aggregation.h"
#include "loss/head.h"
#include "policy/decoder.h"
#include "policy/packing.h"
#include "runtime/memory.h"
#include "runtime/trace.h"

namespace magic {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// One packing on the device, ready for the decoder.
struct MicroBatch {
  MicroBatch(const Shape& shape, Weights& weights, const Packing& packing)
      : shape(shape),
        weights(weights),
        packing(packing),
        tokens(token_tensor(packing.token_ids, weights.device)),
        rows(token_tensor(packing.rows, weights.device)),
        rope(make_rope(shape, packing.positions, weights.device)) {}

  // Hidden states of the rows that predict a response token, [response tokens, H].
  at::Tensor forward(Activations* saved) const {
    const at::Tensor hidden = decoder_forward(shape, weights, tokens, rope, packed_attention(shape, packing), saved);
    return hidden.index_select(0, rows);
  }

  void backward(Activations& saved, const at::Tensor& d_rows) const {
    // A shared prompt's last row predicts the first token of each response: its gradients add up, in float32.
    const at::Tensor d_hidden = at::zeros({packing.token_count(), d_rows.size(1)}, d_rows.options().dtype(at::kFloat))
                                    .index_add_(0, rows, d_rows.to(at::kFloat));
    decoder_backward(shape, weights, packing, tokens, rope, saved, d_hidden.to(d_rows.scalar_type()));
  }

  const Shape& shape;
  Weights& weights;
  const Packing& packing;
  at::Tensor tokens, rows;
  Rope rope;
};

// One value a response token of this packing, out of one a response token of the batch.
std::vector<float> gather(const std::vector<float>& values, const Packing& packing) {
  std::vector<float> gathered;
  if (values.empty()) return gathered;
  for (int64_t index : packing.response_indices) gathered.push_back(values[index]);
  return gathered;
}

// [S] to [R]
std::vector<float> per_response_token(const std::vector<float>& per_sequence, const Batch& batch) {
  std::vector<float> values;
  for (int64_t s = 0; s < batch.sequence_count(); s++) {
    values.insert(values.end(), batch.response_length(s), per_sequence[s]);
  }
  return values;
}

const float* data_or_null(const std::vector<float>& values) { return values.empty() ? nullptr : values.data(); }

}  // namespace

Scores score(Policy& policy, const Batch& batch, const ScoreOptions& options, const Cancel& cancel) {
  const Span span("score");
  batch.validate(policy.shape().vocab_size);
  const int64_t responses = batch.response_token_count();
  Scores scores{std::vector<float>(responses), std::vector<float>(responses)};
  // A copy shares the tensors.
  Weights weights = options.adapter ? policy.weights() : policy.weights().base();
  for (const Packing& packing : pack(batch, options.max_tokens_per_micro_batch, true, weights.device)) {
    cancel.check();
    const at::Tensor hidden = MicroBatch(policy.shape(), weights, packing).forward(nullptr);
    std::vector<float> logprobs(packing.rows.size()), entropy(packing.rows.size());
    head_score(hidden, weights.head().value, packing.targets.data(), options.temperature, logprobs.data(),
               entropy.data());
    for (size_t i = 0; i < packing.rows.size(); i++) {
      scores.logprobs[packing.response_indices[i]] = logprobs[i];
      scores.entropy[packing.response_indices[i]] = entropy[i];
    }
  }
  return scores;
}

StepStats compute_gradients(Policy& policy, const TrainingBatch& batch, const LossOptions& options,
                            const Cancel& cancel) {
  const Span span("gradients");
  const Clock::time_point start = Clock::now();
  batch.validate(policy.shape().vocab_size, options);
  cancel.check();
  Weights& weights = policy.weights();
  weights.prepare_training();
  weights.zero_gradients();

  StepStats stats;
  stats.tokens = batch.kept_token_count();
  const std::vector<float> advantages = per_response_token(batch.advantages, batch);
  const std::vector<float> weights_of_tokens = aggregation_weights(batch, options);
  HeadSums sums;
  double difference = 0;
  for (Packing& packing : pack(batch, options.max_tokens_per_micro_batch, options.share_prompts, weights.device)) {
    cancel.check();
    packing.keep(batch.loss_mask);
    if (packing.rows.empty()) continue;
    const MicroBatch micro_batch(policy.shape(), weights, packing);
    Activations saved;
    saved.checkpointing = options.activation_checkpointing;
    const at::Tensor hidden = micro_batch.forward(&saved);

    const std::vector<float> share = gather(weights_of_tokens, packing), advantage = gather(advantages, packing),
                             old_logprobs = gather(batch.old_logprobs, packing),
                             reference = gather(batch.reference_logprobs, packing),
                             sampler = gather(batch.sampler_logprobs, packing);
    HeadTokens tokens;
    tokens.count = hidden.size(0);
    tokens.targets = packing.targets.data();
    tokens.weights = share.data();
    tokens.advantages = advantage.data();
    tokens.old_logprobs = data_or_null(old_logprobs);
    tokens.reference_logprobs = data_or_null(reference);
    tokens.sampler_logprobs = data_or_null(sampler);
    tokens.sequences = packing.sequences.data();
    std::vector<float> logprobs(packing.rows.size()), entropy(packing.rows.size());
    at::Tensor d_hidden = at::empty_like(hidden);
    const HeadFinish finish_head = head_backward(hidden, weights.head().value, tokens, options, d_hidden,
                                                 weights.head().gradient, logprobs.data(), entropy.data());
    cancel.check();
    micro_batch.backward(saved, d_hidden);
    sums += finish_head();
    for (size_t i = 0; i < sampler.size(); i++) {
      const double apart = std::abs(static_cast<double>(logprobs[i]) - sampler[i]);
      difference += apart;
      stats.logprob_difference_max = std::max(stats.logprob_difference_max, apart);
    }
    stats.computed_tokens += packing.token_count();
    stats.micro_batches += 1;
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
  stats.seconds = seconds_since(start);
  stats.peak_memory_bytes = peak_memory_bytes(weights.device);
  return stats;
}

StepStats train_step(Policy& policy, const TrainingBatch& batch, const LossOptions& loss,
                     const OptimizerOptions& optimizer, const Cancel& cancel) {
  batch.validate(policy.shape().vocab_size, loss);
  // What outlives the activations goes before them: between them it would break up the memory that the next step's
  // take.
  policy.weights().prepare_training();
  policy.optimizer().first_moments(policy.weights());
  StepStats stats = compute_gradients(policy, batch, loss, cancel);
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
