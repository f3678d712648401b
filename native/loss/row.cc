#include "loss/row.h"

#include <algorithm>
#include <cmath>

namespace magic {

RowStatistics row_statistics(const float* logits, int64_t vocab, float scale, std::vector<LogitBlock>& blocks) {
  blocks.resize((vocab + kLogitBlock - 1) / kLogitBlock);
  kernels().scan_logits(logits, vocab, scale, blocks.data());
  // Not a number comes through in the sums.
  float largest = blocks[0].largest;
  for (const LogitBlock& block : blocks) largest = std::max(largest, block.largest);
  // Sums of blocks are float32, sums over blocks double.
  double sum = 0, weighted = 0;
  for (const LogitBlock& block : blocks) {
    const double below = static_cast<double>(block.largest) - largest, share = std::exp(below);
    sum += share * block.sum;
    weighted += share * (block.weighted + below * block.sum);
  }
  const double log_s = std::log(sum);
  return {largest, sum, log_s - weighted / sum, largest + log_s};
}

template <typename T>
void row_gradient(const float* logits, int64_t vocab, float scale, const RowStatistics& statistics, int64_t target,
                  float g_logprob, float g_entropy, T* out) {
  // -g_l p - g_e p (log p + H), where p = exp(z) / S and log p = z - log S, z relative to the largest
  const double log_s = statistics.log_sum - statistics.largest, share = scale / statistics.sum;
  const double a = -g_logprob - g_entropy * (statistics.entropy - log_s), b = -g_entropy;
  const auto z = static_cast<double>(logits[target]) * scale - statistics.largest;
  kernels().rows<T>().logit_gradient(logits, vocab, scale, statistics.largest, static_cast<float>(share * a),
                                     static_cast<float>(share * b), out);
  // The target's is rounded once, with its own term.
  out[target] = static_cast<T>(static_cast<float>(share * std::exp(z) * (a + b * z) + g_logprob * scale));
}

template void row_gradient(const float*, int64_t, float, const RowStatistics&, int64_t, float, float, float*);
template void row_gradient(const float*, int64_t, float, const RowStatistics&, int64_t, float, float, c10::BFloat16*);

}  // namespace magic
