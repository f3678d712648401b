#pragma once
// One row of logits [V], float32 on the CPU: the statistics that a log-prob, an entropy and their gradients need. What
// samples and what trains both take them from here.

#include <cstdint>
#include <vector>

#include "cpu/kernels.h"

namespace magic {

// Of z = logit * scale, scale = 1 / temperature.
struct RowStatistics {
  float largest;   // max z
  double sum;      // S = sum exp(z - max)
  double entropy;  // H = log S - sum exp(z - max) (z - max) / S, nats
  double log_sum;  // max + log S

  double logprob(float logit, float scale) const { return static_cast<double>(logit) * scale - log_sum; }
};

// In one pass over the row; `blocks` has its blocks of kLogitBlock afterwards.
RowStatistics row_statistics(const float* logits, int64_t vocab, float scale, std::vector<LogitBlock>& blocks);

// Logits to d loss / d logits in `out` (T float32 or bfloat16), which may be the logits themselves:
//   scale * [g_logprob (1[v = target] - p) - g_entropy p (log p + H)]
template <typename T>
void row_gradient(const float* logits, int64_t vocab, float scale, const RowStatistics& statistics, int64_t target,
                  float g_logprob, float g_entropy, T* out);

}  // namespace magic
