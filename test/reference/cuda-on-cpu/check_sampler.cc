// Sampled tokens, log-probs and entropies against a sampler that sorts, in double precision, for the same random
// stream.

#include <algorithm>
#include <numeric>

#include "check.h"
#include "rollout/random_stream.h"

namespace magic {

namespace {

struct Case {
  const char* name;
  int64_t vocab;
  double spread, temperature, top_p;
  int64_t top_k;
  double grid;  // logits are multiples of it (0: any), so that many are equal
};

constexpr Case kCases[] = {
    {"all", 6000, 3, 0.8, 1, 0, 0},
    {"all, odd", 3001, 3, 1, 1, 0, 0},
    {"all, tiny", 3, 1, 1, 1, 0, 0},
    {"all, flat", 40, 0, 1, 1, 0, 0},
    {"greedy", 3000, 2, 0, 1, 0, 0.5},
    {"top-k", 3000, 2, 0.8, 1, 20, 0},
    {"top-k 1", 3000, 2, 0.8, 1, 1, 0},
    {"top-k with ties", 3000, 1, 1, 1, 300, 0.25},
    {"top-p", 3000, 2, 0.8, 0.9, 0, 0},
    {"top-p tiny", 3000, 2, 0.8, 1e-9, 0, 0},
    {"top-p with ties", 3000, 1, 1, 0.5, 0, 0.25},
    {"top-k and top-p", 3001, 2, 1.2, 0.7, 50, 0},
    {"top-p, wide", 2000, 40, 1, 0.95, 0, 0},
};
constexpr int64_t kRows = 12;

// Top-k, then the smallest set of likeliest tokens whose mass reaches top-p of that, then a draw: by rank where some
// are cut off, else in the order of the vocabulary.
int64_t draw(const float* logits, const Case& given, double scale, double u) {
  std::vector<int64_t> order(given.vocab);
  std::iota(order.begin(), order.end(), 0);
  const bool truncated = given.top_p < 1 || given.top_k > 0;
  if (truncated || given.temperature == 0) {
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return logits[a] > logits[b]; });
  }
  if (given.temperature == 0) return order[0];
  if (given.top_k > 0) order.resize(given.top_k);
  const double largest = *std::max_element(logits, logits + given.vocab);
  std::vector<double> running;
  double sum = 0;
  for (const int64_t token : order) running.push_back(sum += std::exp((logits[token] - largest) * scale));
  const double target = given.top_p < 1 ? given.top_p * sum : sum;
  const auto last = std::lower_bound(running.begin(), running.end() - 1, target);
  return order[std::upper_bound(running.begin(), last, u * *last) - running.begin()];
}

// The token, its log-prob and the entropy of its row.
std::vector<double> sample(const float* logits, const Case& given, double u) {
  const double scale = given.temperature == 0 ? 1 : 1 / given.temperature;
  const double largest = *std::max_element(logits, logits + given.vocab);
  double sum = 0, weighted = 0;
  for (int64_t i = 0; i < given.vocab; i++) {
    const double below = (logits[i] - largest) * scale;
    sum += std::exp(below);
    weighted += std::exp(below) * below;
  }
  const int64_t token = draw(logits, given, scale, u);
  const double logprob = (logits[token] - largest) * scale - std::log(sum);
  return {static_cast<double>(token), logprob, std::log(sum) - weighted / sum};
}

void check_case(const Case& given) {
  auto logits = normal<float>(kRows * given.vocab, given.spread);
  if (given.grid > 0) {
    for (float& logit : logits) logit = static_cast<float>(std::round(logit / given.grid) * given.grid);
  }
  std::vector<uint64_t> seeds(kRows);
  std::vector<int64_t> counters(kRows);
  std::vector<double> expected;
  for (int64_t row = 0; row < kRows; row++) {
    seeds[row] = random_bits();
    counters[row] = static_cast<int64_t>(random_bits() % 1000);
    const auto own = sample(logits.data() + row * given.vocab, given, uniform(seeds[row], counters[row]));
    expected.insert(expected.end(), own.begin(), own.end());
  }
  const bool greedy = given.temperature == 0;
  const float scale = greedy ? 1.0f : static_cast<float>(1 / given.temperature);
  check(std::string("sample ") + given.name, expected, 2e-6, [&] {
    std::vector<int32_t> tokens(kRows);
    std::vector<float> logprobs(kRows), entropy(kRows);
    sample_rows_on_device(kHere, {logits.data(), seeds.data(), counters.data(), tokens.data(), logprobs.data(),
                                  entropy.data(), kRows, given.vocab, given.top_k, given.top_p, scale, greedy});
    std::vector<double> values;
    for (int64_t row = 0; row < kRows; row++) {
      values.insert(values.end(), {static_cast<double>(tokens[row]), logprobs[row], entropy[row]});
    }
    return values;
  });
}

// Rows that can't be sampled from say so by their entropy, and their token is one of the vocabulary.
void check_not_finite() {
  const double bad[] = {std::nan(""), INFINITY};
  for (const double top_p : {1.0, 0.5}) {
    check("sample, not finite", {1, 1, 1, 1}, 0, [&] {
      std::vector<double> values;
      for (const double value : bad) {
        auto logits = normal<float>(1000);
        logits[700] = static_cast<float>(value);
        const uint64_t seed = 7;
        const int64_t counter = 0;
        int32_t token = -1;
        float logprob = 0, entropy = 0;
        sample_rows_on_device(
            kHere, {logits.data(), &seed, &counter, &token, &logprob, &entropy, 1, 1000, 0, top_p, 1, false});
        values.push_back(!std::isfinite(entropy));
        values.push_back(token >= 0 && token < 1000);
      }
      return values;
    });
  }
}

}  // namespace

void check_sampler() {
  for (const Case& given : kCases) check_case(given);
  check_not_finite();
}

}  // namespace magic
