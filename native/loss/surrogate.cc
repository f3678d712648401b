#include "loss/surrogate.h"

#include <algorithm>
#include <cmath>

#include "loss/token_loss.h"

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

std::vector<double> sequence_corrections(const HeadTokens& tokens, const float* old_logprobs, double cap) {
  std::vector<double> corrections(tokens.count);
  for (int64_t begin = 0, end = 0; begin < tokens.count; begin = end) {
    double sum = 0;
    for (; end < tokens.count && tokens.sequences[end] == tokens.sequences[begin]; end++) {
      sum += std::min(std::exp(static_cast<double>(old_logprobs[end]) - tokens.sampler_logprobs[end]), cap);
    }
    std::fill(corrections.begin() + begin, corrections.begin() + end, sum / static_cast<double>(end - begin));
  }
  return corrections;
}

TokenGradient surrogate(const HeadTokens& tokens, int64_t i, double logprob, double entropy, const SequenceMeans& means,
                        const LossOptions& options, HeadSums& sums) {
  const auto at = [i](const auto& values) { return values ? static_cast<double>(values[i]) : 0.0; };
  const bool has_ratio = !means.log_ratios.empty(), has_correction = !means.corrections.empty();
  const TokenLoss token = token_loss({.weight = tokens.weights[i],
                                      .advantage = tokens.advantages[i],
                                      .logprob = logprob,
                                      .entropy = entropy,
                                      .has_old = tokens.old_logprobs != nullptr,
                                      .has_reference = tokens.reference_logprobs != nullptr,
                                      .old_logprob = at(tokens.old_logprobs),
                                      .reference_logprob = at(tokens.reference_logprobs),
                                      .sampler_logprob = at(tokens.sampler_logprobs),
                                      .has_mean_ratio = has_ratio,
                                      .has_mean_correction = has_correction,
                                      .mean_log_ratio = has_ratio ? means.log_ratios[i] : 0.0,
                                      .mean_correction = has_correction ? means.corrections[i] : 0.0},
                                     options);
  sums.loss += tokens.weights[i] * token.loss;
  sums.policy_loss -= tokens.weights[i] * token.objective;
  sums.entropy += entropy;
  sums.logprob += logprob;
  sums.kl += token.kl;
  sums.approx_kl += token.approx_kl;
  sums.clipped_low += token.clipped_low;
  sums.clipped_high += token.clipped_high;
  return {static_cast<float>(token.d_logprob), static_cast<float>(token.d_entropy)};
}

}  // namespace magic
