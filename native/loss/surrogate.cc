#include "loss/surrogate.h"

#include <algorithm>
#include <cmath>

namespace magic {

HeadSums& HeadSums::operator+=(const HeadSums& other) {
  loss += other.loss;
  policy_loss += other.policy_loss;
  entropy += other.entropy;
  logprob += other.logprob;
  kl += other.kl;
  approx_kl += other.approx_kl;
  clipped_low += other.clipped_low;
  clipped_high += other.clipped_high;
  return *this;
}

TokenGradient surrogate(const HeadTokens& tokens, int64_t i, double logprob, double entropy, const LossOptions& options,
                        HeadSums& sums) {
  const double weight = tokens.weights[i], advantage = tokens.advantages[i];
  // Without old log-probs the ratio is exactly 1: the gradient is the policy gradient.
  double objective = advantage, d_logprob = -advantage;
  if (tokens.old_logprobs) {
    const double log_ratio = logprob - tokens.old_logprobs[i];
    const double ratio = std::exp(log_ratio);
    const double unclipped = ratio * advantage;
    const double clipped = std::clamp(ratio, 1.0 - options.clip_low, 1.0 + options.clip_high) * advantage;
    objective = std::min(unclipped, clipped);
    const bool clip_decides = clipped < unclipped;
    d_logprob = clip_decides ? 0.0 : -unclipped;
    if (clip_decides) (ratio < 1.0 ? sums.clipped_low : sums.clipped_high) += weight;
    // k3 of the old policy: r - log r - 1 with r = pi_old / pi.
    sums.approx_kl += weight * (std::exp(-log_ratio) + log_ratio - 1.0);
  }
  double loss = -objective - options.entropy_coefficient * entropy;
  if (tokens.reference_logprobs) {
    const double log_r = tokens.reference_logprobs[i] - logprob;
    const double r = std::exp(log_r);
    const double k3 = r - log_r - 1.0;
    sums.kl += weight * k3;
    loss += options.kl_coefficient * k3;
    d_logprob += options.kl_coefficient * (1.0 - r);
  }
  sums.policy_loss -= weight * objective;
  sums.loss += weight * loss;
  sums.entropy += weight * entropy;
  sums.logprob += weight * logprob;
  return {static_cast<float>(weight * d_logprob), static_cast<float>(-weight * options.entropy_coefficient)};
}

}  // namespace magic
