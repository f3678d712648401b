#include "rollout/sampler.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/kernels.h"
#include "loss/row.h"
#include "runtime/error.h"

namespace magic {

namespace {

// The first of the most likely tokens: only the block that has it is looked at.
int64_t likeliest(const float* logits, int64_t vocab, const LogitBlock* blocks, float largest) {
  int64_t start = 0;
  while (blocks->largest < largest) {
    blocks++;
    start += kLogitBlock;
  }
  return std::max_element(logits + start, logits + std::min(vocab, start + kLogitBlock)) - logits;
}

// The token at which the running sum of exp(z - max) passes u * S: first the block, then the token in it.
int64_t draw(const float* logits, int64_t vocab, const LogitBlock* blocks, float scale, const RowStatistics& row,
             double u) {
  double left = u * row.sum;
  int64_t start = 0;
  double share = std::exp(static_cast<double>(blocks->largest) - row.largest);
  while (left >= share * blocks->sum && start + kLogitBlock < vocab) {
    left -= share * blocks->sum;
    start += kLogitBlock;
    blocks++;
    share = std::exp(static_cast<double>(blocks->largest) - row.largest);
  }
  float weights[kLogitBlock];
  const int64_t size = std::min(kLogitBlock, vocab - start);
  kernels().logit_weights(logits + start, size, scale, blocks->largest, weights);
  // What rounding leaves above the running sum is the last token's that has any weight.
  int64_t last = 0;
  for (int64_t i = 0; i < size; i++) {
    if (weights[i] == 0) continue;
    last = i;
    left -= share * weights[i];
    if (left < 0) break;
  }
  return start + last;
}

struct Candidate {
  float logit;
  int32_t token;
};

// Top-k, then the smallest set of most likely tokens whose probability reaches top-p (nucleus sampling, Holtzman et
// al. 2020), then a draw from what is left. Only the blocks that have likely tokens are looked at, and only those are
// sorted.
int64_t draw_truncated(const float* logits, int64_t vocab, const LogitBlock* blocks, const GenerateOptions& options,
                       float scale, const RowStatistics& row, double u) {
  const auto probability = [&](float logit) { return std::exp(static_cast<double>(logit * scale) - row.largest); };
  const bool by_count = options.top_k > 0 && options.top_k < vocab;
  std::vector<Candidate> candidates;
  for (float depth = 4;; depth *= 2) {
    const float bound = row.largest - depth;
    double mass = 0;
    candidates.clear();
    for (int64_t start = 0; start < vocab; start += kLogitBlock) {
      if (blocks[start / kLogitBlock].largest < bound) continue;
      for (int64_t i = start; i < std::min(vocab, start + kLogitBlock); i++) {
        if (logits[i] * scale < bound) continue;
        candidates.push_back({logits[i], static_cast<int32_t>(i)});
        if (!by_count) mass += probability(logits[i]);
      }
    }
    const auto count = static_cast<int64_t>(candidates.size());
    if (count == vocab || (by_count ? count >= options.top_k : mass >= options.top_p * row.sum)) break;
  }

  // Equal logits in the order of their ids, so that the set is well defined.
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  };
  double total = row.sum;
  if (by_count) {
    std::nth_element(candidates.begin(), candidates.begin() + options.top_k - 1, candidates.end(), likelier);
    candidates.resize(options.top_k);
    total = 0;
    for (const Candidate& candidate : candidates) total += probability(candidate.logit);
  }
  std::sort(candidates.begin(), candidates.end(), likelier);
  std::vector<double> running;
  double sum = 0;
  for (const Candidate& candidate : candidates) {
    sum += probability(candidate.logit);
    running.push_back(sum);
    if (sum >= options.top_p * total) break;
  }
  const auto found = std::upper_bound(running.begin(), running.end(), u * sum);
  return candidates[std::min<size_t>(found - running.begin(), running.size() - 1)].token;
}

}  // namespace

void throw_not_finite() {
  throw Error("NOT_FINITE", "the policy's logits are not finite: its weights have diverged; go back to a checkpoint");
}

SampledToken sample_token(const float* logits, int64_t vocab, const GenerateOptions& options, double u) {
  const bool greedy = options.temperature == 0;
  const float scale = greedy ? 1.0f : static_cast<float>(1.0 / options.temperature);
  std::vector<LogitBlock> blocks;
  const RowStatistics row = row_statistics(logits, vocab, scale, blocks);
  // Of a logit of minus infinity only the entropy tells.
  if (!std::isfinite(row.log_sum) || !std::isfinite(row.entropy)) {
    throw_not_finite();
  }
  int64_t token;
  if (greedy) {
    token = likeliest(logits, vocab, blocks.data(), row.largest);
  } else if (options.top_p < 1 || (options.top_k > 0 && options.top_k < vocab)) {
    token = draw_truncated(logits, vocab, blocks.data(), options, scale, row, u);
  } else {
    token = draw(logits, vocab, blocks.data(), scale, row, u);
  }
  return {static_cast<int32_t>(token), static_cast<float>(row.logprob(logits[token], scale)),
          static_cast<float>(row.entropy)};
}

}  // namespace magic
