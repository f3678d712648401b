#pragma once
// The loss of one token as a function of its log-prob and entropy, and its derivatives (Skywork-OR1, eq 3.1).

#include <cstdint>
#include <vector>

#include "loss/head.h"

namespace magic {

struct TokenGradient {
  float logprob = 0;  // d loss / d log pi
  float entropy = 0;  // d loss / d H
};

// log pi - log pi_old of each token's sequence, the mean over its tokens (GSPO, Zheng et al. 2025).
std::vector<double> sequence_log_ratios(const HeadTokens& tokens, const float* logprobs);

// min(pi_old / pi_sampler, cap) of each token's sequence, the mean over its tokens.
std::vector<double> sequence_corrections(const HeadTokens& tokens, const float* old_logprobs, double cap);

// Whether what a token's gradient is depends on all log-probs of its sequence. Without old log-probs the ratio is 1,
// but the weights against the sampler still have a mean.
inline bool needs_sequence_means(const HeadTokens& tokens, const LossOptions& options) {
  return options.sequence_ratio && (tokens.old_logprobs || options.importance_sampling_cap > 0);
}

// One value a token, the same for all tokens of a sequence; empty where the ratio, or the weight, is the token's own.
struct SequenceMeans {
  std::vector<double> log_ratios, corrections;
};

// Adds token i's terms to `sums`. The gradient of a sequence's ratio spreads over its tokens; as all of them have the
// same share and advantage, it is that of a token's own ratio, times the mean of their importance weights.
TokenGradient surrogate(const HeadTokens& tokens, int64_t i, double logprob, double entropy, const SequenceMeans& means,
                        const LossOptions& options, HeadSums& sums);

}  // namespace magic
