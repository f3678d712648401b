#pragma once
// One token out of one row of logits, with its log-prob and entropy under the full distribution at the temperature.

#include <cstdint>

#include "rollout/generate.h"
#include "rollout/random_stream.h"

namespace magic {

struct SampledToken {
  int32_t token;
  float logprob;
  float entropy;
};

// logits [V] float32 on the CPU.
SampledToken sample_token(const float* logits, int64_t vocab, const GenerateOptions& options, double u);

}  // namespace magic
