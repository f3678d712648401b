#pragma once
// The fused head: hidden states [N, H] and the output embedding [V, H] to token log-probs, full-vocabulary entropies,
// the clipped surrogate with entropy bonus and k3, and their analytic gradients, in chunks of tokens: [N, V] never
// exists. Reductions are float32 whatever the type of the inputs.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "train/batch.h"

namespace magic {

// One value a token, host memory. Null pointers stand for "absent".
struct HeadTokens {
  int64_t count = 0;                          // N
  const int32_t* targets = nullptr;           // [N]
  const float* weights = nullptr;             // [N] share of the token in the loss: 1 / T_k for the token mean
  const float* advantages = nullptr;          // [N]
  const float* old_logprobs = nullptr;        // [N]; absent: ratio exactly 1
  const float* reference_logprobs = nullptr;  // [N]
  const float* sampler_logprobs = nullptr;    // [N], needed by importance_sampling_cap
  const int32_t* sequences = nullptr;         // [N] rising; equal for the tokens of one sequence, for sequence ratios
};

// Sums over tokens. The losses are weighted, the others plain: their means are over tokens whatever the aggregation.
struct HeadSums {
  double loss = 0, policy_loss = 0;
  double entropy = 0, logprob = 0, kl = 0, approx_kl = 0;
  int64_t clipped_low = 0, clipped_high = 0;

  HeadSums& operator+=(const HeadSums& other);
};

// Waits for the device where there is one, fills the log-probs and entropies, and gives the sums.
using HeadFinish = std::function<HeadSums()>;

// Log-probs and entropies [N] of the targets at the temperature; no gradient. At most `most_rows` rows of logits exist
// at once, here and below.
void head_score(const at::Tensor& hidden, const at::Tensor& weight, int64_t most_rows, const int32_t* targets,
                double temperature, float* logprobs, float* entropy);

// Sequence-level ratios need every log-prob of a sequence before any gradient: a scoring pass goes first (four GEMMs).
// Adds to weight_gradient [V, H] (float32; undefined: the weight is frozen), fills hidden_gradient [N, H] (hidden's
// type). The device is not waited for until what comes back is called, so that the decoder's backward can be queued
// before.
HeadFinish head_backward(const at::Tensor& hidden, const at::Tensor& weight, int64_t most_rows,
                         const HeadTokens& tokens, const LossOptions& options, at::Tensor& hidden_gradient,
                         at::Tensor& weight_gradient, float* logprobs, float* entropy);

}  // namespace magic
