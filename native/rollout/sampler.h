#pragma once
// One token out of one row of logits, with its log-prob and entropy under the full distribution at the temperature.

#include <cstdint>

#include "rollout/generate.h"

namespace magic {

struct SampledToken {
  int32_t token;
  float logprob;
  float entropy;
};

// Uniform in [0, 1) from a sample's seed and the index of the token: a counter, not a state, so that a sample's tokens
// depend on nothing but its own seed.
double uniform(uint64_t seed, uint64_t index);

// logits [V] float32 on the CPU.
SampledToken sample_token(const float* logits, int64_t vocab, const GenerateOptions& options, double u);

}  // namespace magic
