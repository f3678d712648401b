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

// Adds token i's terms to `sums`. With `sequence_ratios` empty the ratio is the token's own. The gradient of a
// sequence's ratio spreads over its tokens; as all of them have the same weight and advantage, it is that of a token's
// own ratio.
TokenGradient surrogate(const HeadTokens& tokens, int64_t i, double logprob, double entropy,
                        const std::vector<double>& sequence_ratios, const LossOptions& options, HeadSums& sums);

}  // namespace magic
