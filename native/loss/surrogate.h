#pragma once
// The loss of one token as a function of its log-prob and entropy, and its derivatives (Skywork-OR1, eq 3.1).

#include <cstdint>

#include "loss/head.h"

namespace magic {

struct TokenGradient {
  float logprob = 0;  // d loss / d log pi
  float entropy = 0;  // d loss / d H
};

// Adds token i's terms, each times its weight, to `sums`.
TokenGradient surrogate(const HeadTokens& tokens, int64_t i, double logprob, double entropy, const LossOptions& options,
                        HeadSums& sums);

}  // namespace magic
