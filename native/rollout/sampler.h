#pragma once
// One token out of one row of logits, with its log-prob and entropy under the full distribution at the temperature.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "rollout/generate.h"
#include "rollout/random_stream.h"

namespace magic {

struct SampledToken {
  int32_t token;
  float logprob;
  float entropy;
};

// Of rows that can't be sampled from.
[[noreturn]] void throw_not_finite();

// logits [V] float32 on the CPU.
SampledToken sample_token(const float* logits, int64_t vocab, const GenerateOptions& options, double u);

// What the samples of some rows draw from: their seeds, and the index of the token in each.
struct SampleKeys {
  std::vector<int64_t> seeds, counters;
};

// logits [n, V] float32 on a device that has kernels: one launch, one transfer each way.
std::vector<SampledToken> sample_rows(const at::Tensor& logits, const SampleKeys& keys, const GenerateOptions& options);

// The launch: tokens (the bits of an int32), log-probs and entropies to results [3, n] float32; seeds and counters [n]
// int64 on the device.
void sample_into(const at::Tensor& results, const at::Tensor& logits, const at::Tensor& seeds,
                 const at::Tensor& counters, const GenerateOptions& options);
// The first `count` of results [3, n], which are on the CPU by now.
std::vector<SampledToken> sampled_tokens(const at::Tensor& results, int64_t count);

}  // namespace magic
