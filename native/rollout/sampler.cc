#include "rollout/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "loss/row.h"

namespace magic {

namespace {

// splitmix64's finaliser (Steele, Lea and Flood, 2014).
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// Top-k, then the smallest set of most likely tokens whose probability reaches top-p (nucleus sampling, Holtzman et
// al. 2020), then a draw from what is left.
int64_t sample_truncated(const float* logits, int64_t vocab, const GenerateOptions& options, double u, float scale,
                         const RowStatistics& statistics) {
  std::vector<int32_t> order(vocab);
  std::iota(order.begin(), order.end(), 0);
  // Equal logits in the order of their ids, so that the set is well defined.
  const auto likelier = [logits](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  const bool by_count = options.top_k > 0 && options.top_k < vocab;
  size_t sorted = by_count ? static_cast<size_t>(options.top_k) : std::min<size_t>(vocab, 64);
  std::partial_sort(order.begin(), order.begin() + static_cast<int64_t>(sorted), order.end(), likelier);
  if (by_count) order.resize(sorted);

  const auto probability = [&](int32_t token) {
    return std::exp(static_cast<double>(logits[token] * scale) - statistics.largest);
  };
  double total = statistics.sum;
  if (by_count) {
    total = 0;
    for (int32_t token : order) total += probability(token);
  }
  std::vector<double> running;
  double sum = 0;
  for (size_t i = 0; i < order.size(); i++) {
    if (i == sorted) {
      // The nucleus is larger than what is sorted so far.
      sorted = std::min(order.size(), sorted * 4);
      std::partial_sort(order.begin() + static_cast<int64_t>(i), order.begin() + static_cast<int64_t>(sorted),
                        order.end(), likelier);
    }
    sum += probability(order[i]);
    running.push_back(sum);
    if (sum >= options.top_p * total) break;
  }
  const auto found = std::upper_bound(running.begin(), running.end(), u * sum);
  return order[std::min<size_t>(found - running.begin(), running.size() - 1)];
}

}  // namespace

double uniform(uint64_t seed, uint64_t index) {
  const uint64_t bits = mix(mix(seed + 0x9e3779b97f4a7c15ULL) + (index + 1) * 0x9e3779b97f4a7c15ULL);
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

SampledToken sample_token(const float* logits, int64_t vocab, const GenerateOptions& options, double u) {
  const bool greedy = options.temperature == 0;
  const float scale = greedy ? 1.0f : static_cast<float>(1.0 / options.temperature);
  const RowStatistics statistics = row_statistics(logits, vocab, scale);
  if (!std::isfinite(statistics.log_sum)) {
    throw Error("NOT_FINITE", "the policy's logits are not finite: its weights have diverged; go back to a checkpoint");
  }
  int64_t token;
  if (greedy) {
    token = std::max_element(logits, logits + vocab) - logits;
  } else if (options.top_p < 1 || (options.top_k > 0 && options.top_k < vocab)) {
    token = sample_truncated(logits, vocab, options, u, scale, statistics);
  } else {
    token = row_sample(logits, vocab, scale, statistics, u);
  }
  const double logprob = static_cast<double>(logits[token] * scale) - statistics.log_sum;
  return {static_cast<int32_t>(token), static_cast<float>(logprob), static_cast<float>(statistics.entropy)};
}

}  // namespace magic
