#pragma once
// The loss of one token as a function of its log-prob and entropy, and its derivatives (Skywork-OR1, eq 3.1): the one
// definition, on the CPU and in the kernel library.

#include <cmath>

#include "cuda/host_device.h"
#include "train/batch.h"

namespace magic {

struct TokenInput {
  double weight, advantage;
  double logprob, entropy;
  bool has_old, has_reference;
  double old_logprob, reference_logprob, sampler_logprob;
  // Of the token's sequence, where the ratio is the sequence's.
  bool has_mean_ratio, has_mean_correction;
  double mean_log_ratio, mean_correction;
};

struct TokenLoss {
  double loss, objective;  // the loss without its weight
  double kl, approx_kl;
  bool clipped_low, clipped_high;
  double d_logprob, d_entropy;  // of weight * loss
};

// Comparisons that keep a not-a-number in the first place, as std::min does.
MAGIC_HOST_DEVICE inline double smaller(double a, double b) { return b < a ? b : a; }

MAGIC_HOST_DEVICE inline TokenLoss token_loss(const TokenInput& token, const LossOptions& options) {
  TokenLoss out{};
  const double advantage = token.advantage;
  // Without old log-probs the ratio is exactly 1: the gradient is the policy gradient.
  double objective = advantage, d_logprob = -advantage;
  if (token.has_old) {
    const double log_ratio = token.logprob - token.old_logprob;
    const double ratio = exp(token.has_mean_ratio ? token.mean_log_ratio : log_ratio);
    const double unclipped = ratio * advantage;
    const double low = 1.0 - options.clip_low, high = 1.0 + options.clip_high;
    const double clipped = (ratio < low ? low : high < ratio ? high : ratio) * advantage;
    objective = smaller(unclipped, clipped);
    const bool clip_decides = clipped < unclipped;
    d_logprob = clip_decides ? 0.0 : -unclipped;
    out.clipped_low = clip_decides && ratio < 1.0;
    out.clipped_high = clip_decides && !(ratio < 1.0);
    // Dual clip (Ye et al., 2020): a floor under what a large ratio makes of a negative advantage.
    if (options.dual_clip > 0 && advantage < 0 && objective < options.dual_clip * advantage) {
      objective = options.dual_clip * advantage;
      d_logprob = 0.0;
    }
    // k3 of the old policy: r - log r - 1 with r = pi_old / pi.
    out.approx_kl = exp(-log_ratio) + log_ratio - 1.0;
  }
  if (options.importance_sampling_cap > 0) {
    // Truncated importance sampling (Yao et al., 2025): no gradient goes through the weight.
    const double old_logprob = token.has_old ? token.old_logprob : token.logprob;
    const double correction = smaller(exp(old_logprob - token.sampler_logprob), options.importance_sampling_cap);
    objective *= correction;
    // One ratio a sequence is in the terms of all its tokens: each log-prob moves them all.
    d_logprob *= token.has_mean_correction ? token.mean_correction : correction;
  }
  out.objective = objective;
  out.loss = -objective - options.entropy_coefficient * token.entropy;
  if (token.has_reference) {
    const double log_r = token.reference_logprob - token.logprob, r = exp(log_r);
    out.kl = r - log_r - 1.0;
    out.loss += options.kl_coefficient * out.kl;
    d_logprob += options.kl_coefficient * (1.0 - r);
  }
  out.d_logprob = token.weight * d_logprob;
  out.d_entropy = -token.weight * options.entropy_coefficient;
  return out;
}

}  // namespace magic
