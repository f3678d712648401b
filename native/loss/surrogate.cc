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

std::vector<double> sequence_log_ratios(const HeadTokens& tokens, const float* logprobs) {
  std::vector<double> ratios(tokens.count);
  for (int64_t begin = 0, end = 0; begin < tokens.count; begin = end) {
    double sum = 0;
    for (; end < tokens.count && tokens.sequences[end] == tokens.sequences[begin]; end++) {
      sum += static_cast<double>(logprobs[end]) - tokens.old_logprobs[end];
    }
    std::fill(ratios.begin() + begin, ratios.begin() + end, sum / static_cast<double>(end - begin));
  }
  return ratios;
}

std::vector<double> sequence_corrections(const HeadTokens& tokens, double cap) {
  std::vector<double> corrections(tokens.count);
  for (int64_t begin = 0, end = 0; begin < tokens.count; begin = end) {
    double sum = 0;
    for (; end < tokens.count && tokens.sequences[end] == tokens.sequences[begin]; end++) {
      sum += std::min(std::exp(static_cast<double>(tokens.old_logprobs[end]) - tokens.sampler_logprobs[end]), cap);
    }
    std::fill(corrections.begin() + begin, corrections.begin() + end, sum / static_cast<double>(end - begin));
  }
  return corrections;
}

TokenGradient surrogate(const HeadTokens& tokens, int64_t i, double logprob, double entropy, const SequenceMeans& means,
                        const LossOptions& options, HeadSums& sums) {
  const double weight = tokens.weights[i], advantage = tokens.advantages[i];
  // Without old log-probs the ratio is exactly 1: the gradient is the policy gradient.
  double objective = advantage, d_logprob = -advantage;
  if (tokens.old_logprobs) {
    const double log_ratio = logprob - tokens.old_logprobs[i];
    const double ratio = std::exp(means.log_ratios.empty() ? log_ratio : means.log_ratios[i]);
    const double unclipped = ratio * advantage;
    const double clipped = std::clamp(ratio, 1.0 - options.clip_low, 1.0 + options.clip_high) * advantage;
    objective = std::min(unclipped, clipped);
    const bool clip_decides = clipped < unclipped;
    d_logprob = clip_decides ? 0.0 : -unclipped;
    if (clip_decides) (ratio < 1.0 ? sums.clipped_low : sums.clipped_high) += 1;
    // Dual clip (Ye et al., 2020): a floor under what a large ratio makes of a negative advantage.
    if (options.dual_clip > 0 && advantage < 0 && objective < options.dual_clip * advantage) {
      objective = options.dual_clip * advantage;
      d_logprob = 0.0;
    }
    // k3 of the old policy: r - log r - 1 with r = pi_old / pi.
    sums.approx_kl += std::exp(-log_ratio) + log_ratio - 1.0;
  }
  if (options.importance_sampling_cap > 0) {
    // Truncated importance sampling (Yao et al., 2025): no gradient goes through the weight.
    const double old_logprob = tokens.old_logprobs ? tokens.old_logprobs[i] : logprob;
    const double correction =
        std::min(std::exp(old_logprob - tokens.sampler_logprobs[i]), options.importance_sampling_cap);
    objective *= correction;
    // One ratio a sequence is in the terms of all its tokens: each log-prob moves them all.
    d_logprob *= means.corrections.empty() ? correction : means.corrections[i];
  }
  double loss = -objective - options.entropy_coefficient * entropy;
  if (tokens.reference_logprobs) {
    const double log_r = tokens.reference_logprobs[i] - logprob;
    const double r = std::exp(log_r);
    const double k3 = r - log_r - 1.0;
    sums.kl += k3;
    loss += options.kl_coefficient * k3;
    d_logprob += options.kl_coefficient * (1.0 - r);
  }
  sums.policy_loss -= weight * objective;
  sums.loss += weight * loss;
  sums.entropy += entropy;
  sums.logprob += logprob;
  return {static_cast<float>(weight * d_logprob), static_cast<float>(-weight * options.entropy_coefficient)};
}

}  // namespace magic
