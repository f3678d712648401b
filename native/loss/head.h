#pragma once
// The fused head: hidden states [N, H] and the output embedding [V, H] to token log-probs, full-vocabulary entropies,
// the clipped surrogate with entropy bonus and k3, and their analytic gradients, in chunks of tokens: [N, V] never
// exists. Reductions are float32 whatever the type of the inputs.

#include <ATen/core/Tensor.h>

#include <cstdint>

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
};

// Sums over tokens, each times its weight; the counts are weighted too.
struct HeadSums {
  double loss = 0, policy_loss = 0, entropy = 0, logprob = 0, kl = 0, approx_kl = 0;
  double clipped_low = 0, clipped_high = 0;

  HeadSums& operator+=(const HeadSums& other);
};

// Log-probs and entropies [N] of the targets at the temperature; no gradient.
void head_score(const at::Tensor& hidden, const at::Tensor& weight, const int32_t* targets, double temperature,
                float* logprobs, float* entropy);

// Adds to weight_gradient [V, H] (float32) and fills hidden_gradient [N, H] (hidden's type).
HeadSums head_backward(const at::Tensor& hidden, const at::Tensor& weight, const HeadTokens& tokens,
                       const LossOptions& options, at::Tensor& hidden_gradient, at::Tensor& weight_gradient,
                       float* logprobs, float* entropy);

}  // namespace magic
