#pragma once
// What crosses the boundary: packed sequences, what is known of their response tokens, and the options of one update.
// S sequences, N tokens, R response tokens.

#include <cstdint>
#include <functional>
#include <vector>

namespace magic {

struct Batch {
  std::vector<int32_t> token_ids;       // [N]
  std::vector<int32_t> offsets;         // [S + 1]
  std::vector<int32_t> prompt_lengths;  // [S]

  int64_t sequence_count() const { return static_cast<int64_t>(prompt_lengths.size()); }
  int64_t response_length(int64_t sequence) const {
    return static_cast<int64_t>(offsets[sequence + 1]) - offsets[sequence] - prompt_lengths[sequence];
  }
  int64_t response_token_count() const;
  // Throws INVALID_ARGUMENT with the field, the value and what it has to be.
  void validate(int64_t vocab_size) const;
};

// Empty vectors stand for "absent".
struct TrainingBatch : Batch {
  std::vector<float> advantages;          // [S]
  std::vector<float> old_logprobs;        // [R]
  std::vector<float> reference_logprobs;  // [R]
  std::vector<float> sampler_logprobs;    // [R]
  std::vector<float> loss_mask;           // [R] 0: the token leaves the loss and every count

  // Response tokens that count in the loss.
  int64_t kept_token_count() const;
  void validate(int64_t vocab_size, const struct LossOptions& options) const;
};

struct ScoreOptions {
  double temperature = 1.0;
  int64_t max_tokens_per_micro_batch = 8192;
  int64_t activation_bytes = 0;  // as in LossOptions
  bool adapter = true;           // false: the frozen model alone
};

// How token terms become one loss; it holds for the policy, entropy and KL terms alike. N sequences, o_i the response
// tokens of sequence i.
enum class Aggregation {
  kTokenMean,              // (1 / sum_i |o_i|) sum_i sum_t (Skywork-OR1, eq 3.1; DAPO)
  kSequenceMeanTokenMean,  // (1 / N) sum_i (1 / |o_i|) sum_t (GRPO)
  kSequenceMeanTokenSum,   // (1 / N) sum_i sum_t / aggregation_constant (Dr. GRPO)
};

struct LossOptions {
  double temperature = 1.0;
  double clip_low = 0.2;
  double clip_high = 0.2;
  double dual_clip = 0.0;                // c > 1: for A < 0 the term is at least c A; 0: off
  bool sequence_ratio = false;           // GSPO: one ratio a sequence, exp of the mean log-ratio
  double importance_sampling_cap = 0.0;  // C: the policy term times min(pi_old / pi_sampler, C); 0: off
  Aggregation aggregation = Aggregation::kTokenMean;
  double aggregation_constant = 0.0;
  double loss_scale = 1.0;  // of the whole loss: policy, entropy and KL terms
  double entropy_coefficient = 0.0;
  double kl_coefficient = 0.0;
  int64_t max_tokens_per_micro_batch = 8192;
  int64_t activation_bytes = 0;           // most of one micro-batch beside weights and states; 0: of what is free
  bool activation_checkpointing = false;  // computes every layer again, not only as many as have to be
  bool bfloat16_gradients = false;        // of the layers' matrices; the others are float32, as these are else
  bool share_prompts = true;
};

struct OptimizerOptions {
  double learning_rate = 1e-6;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
  double max_grad_norm = 1.0;
};

struct Scores {
  std::vector<float> logprobs;  // [R]
  std::vector<float> entropy;   // [R]
  // As in StepStats.
  int64_t micro_batches = 0, activation_bytes = 0, memory_retries = 0;
};

// Field for field the NativeStepStats of contract.ts.
struct StepStats {
  double loss = 0, policy_loss = 0, entropy = 0, entropy_sampled = 0, kl = 0;
  double clip_fraction = 0, clip_fraction_low = 0, clip_fraction_high = 0, approx_kl = 0;
  double logprob_difference_mean = 0, logprob_difference_max = 0;
  double grad_norm = 0;
  int64_t tokens = 0, computed_tokens = 0, micro_batches = 0;
  bool skipped = false;
  double seconds = 0, optimizer_seconds = 0;
  int64_t activation_bytes = 0;   // as predicted, of the largest micro-batch
  int64_t recomputed_layers = 0;  // most in a micro-batch, as a whole or the MLP alone
  int64_t memory_retries = 0;     // how often memory ran out and all began anew with smaller micro-batches
  int64_t peak_memory_bytes = 0;
};

}  // namespace magic
