// Rows of logits against plain double precision, the surrogate against the CPU's own token_loss.h.

#include <algorithm>

#include "check.h"
#include "loss/token_loss.h"

namespace magic {

namespace {

constexpr float kScale = 1.25f;

template <class T>
void check_rows(int64_t rows, int64_t vocab, double spread) {
  const auto logits = normal<float>(rows * vocab, spread), g_logprob = normal<float>(rows),
             g_entropy = normal<float>(rows);
  std::vector<int32_t> targets(rows);
  std::vector<double> scores(2 * rows), gradient;
  for (int64_t row = 0; row < rows; row++) {
    targets[row] = static_cast<int32_t>(random_bits() % vocab);
    const float* own = logits.data() + row * vocab;
    const double largest = static_cast<double>(*std::max_element(own, own + vocab)) * kScale;
    double sum = 0, entropy = 0;
    for (int64_t v = 0; v < vocab; v++) sum += std::exp(own[v] * static_cast<double>(kScale) - largest);
    const auto log_p = [&](int64_t v) { return own[v] * static_cast<double>(kScale) - largest - std::log(sum); };
    for (int64_t v = 0; v < vocab; v++) entropy -= std::exp(log_p(v)) * log_p(v);
    scores[row] = log_p(targets[row]);
    scores[rows + row] = entropy;
    for (int64_t v = 0; v < vocab; v++) {
      const double p = std::exp(log_p(v)), one = v == targets[row] ? 1 : 0;
      gradient.push_back(kScale * (g_logprob[row] * (one - p) - g_entropy[row] * p * (log_p(v) + entropy)));
    }
  }
  const std::string name =
      std::string("rows ") + name_of<T>() + " " + std::to_string(rows) + "x" + std::to_string(vocab);
  std::vector<DeviceRow> statistics(rows);
  check(name, scores, 2e-6, [&] {
    std::vector<float> logprobs(rows), entropy(rows);
    rows_forward_on_device(kHere, {logits.data(), targets.data(), statistics.data(), logprobs.data(), entropy.data(),
                                   rows, vocab, kScale});
    std::vector<double> values;
    append(values, logprobs);
    append(values, entropy);
    return values;
  });
  check(name + " backward", gradient, std::max(4e-6, kStep<T> / 2), [&] {
    auto buffer = logits;
    rows_backward_on_device(
        kHere, kElementOf<T>,
        {buffer.data(), targets.data(), statistics.data(), g_logprob.data(), g_entropy.data(), rows, vocab, kScale});
    std::vector<double> values;
    for (int64_t row = 0; row < rows; row++) {
      const T* own = reinterpret_cast<const T*>(buffer.data() + row * vocab);
      append(values, std::vector<T>(own, own + vocab));
    }
    return values;
  });
}

struct Tokens {
  static constexpr int64_t kCount = 700;
  std::vector<float> logprobs = normal<float>(kCount, 0.5, -2), entropy = normal<float>(kCount, 0.3, 1.5),
                     weights = normal<float>(kCount, 0.1, 0.5), advantages = normal<float>(kCount),
                     old_logprobs = normal<float>(kCount, 0.5, -2), reference = normal<float>(kCount, 0.5, -2),
                     sampler = normal<float>(kCount, 0.5, -2);
  std::vector<double> mean_log_ratios = normal_doubles(0.3, 0), mean_corrections = normal_doubles(0.2, 1);

  static std::vector<double> normal_doubles(double deviation, double mean) {
    std::vector<double> values;
    append(values, normal<float>(kCount, deviation, mean));
    return values;
  }
};

void check_surrogate(const char* name, const Tokens& given, const LossOptions& options, bool old, bool reference,
                     bool means) {
  const auto optional = [](bool present, const auto& values) { return present ? values.data() : nullptr; };
  const SurrogateTokens tokens{.count = Tokens::kCount,
                               .logprobs = given.logprobs.data(),
                               .entropy = given.entropy.data(),
                               .weights = given.weights.data(),
                               .advantages = given.advantages.data(),
                               .old_logprobs = optional(old, given.old_logprobs),
                               .reference_logprobs = optional(reference, given.reference),
                               .sampler_logprobs = given.sampler.data(),
                               .mean_log_ratios = optional(means, given.mean_log_ratios),
                               .mean_corrections = optional(means, given.mean_corrections)};
  std::vector<double> g_logprob, g_entropy, sums(Surrogate::kSums, 100.0);
  for (int64_t i = 0; i < Tokens::kCount; i++) {
    const TokenLoss loss = token_loss({.weight = given.weights[i],
                                       .advantage = given.advantages[i],
                                       .logprob = given.logprobs[i],
                                       .entropy = given.entropy[i],
                                       .has_old = old,
                                       .has_reference = reference,
                                       .old_logprob = given.old_logprobs[i],
                                       .reference_logprob = given.reference[i],
                                       .sampler_logprob = given.sampler[i],
                                       .has_mean_ratio = means,
                                       .has_mean_correction = means,
                                       .mean_log_ratio = given.mean_log_ratios[i],
                                       .mean_correction = given.mean_corrections[i]},
                                      options);
    g_logprob.push_back(static_cast<float>(loss.d_logprob));
    g_entropy.push_back(static_cast<float>(loss.d_entropy));
    const double terms[] = {given.weights[i] * loss.loss,
                            -given.weights[i] * loss.objective,
                            given.entropy[i],
                            given.logprobs[i],
                            loss.kl,
                            loss.approx_kl,
                            1.0 * loss.clipped_low,
                            1.0 * loss.clipped_high};
    for (int64_t k = 0; k < Surrogate::kSums; k++) sums[k] += terms[k];
  }
  std::vector<double> expected = g_logprob;
  append(expected, g_entropy);
  append(expected, sums);
  check(std::string("surrogate ") + name, expected, 1e-12, [&] {
    std::vector<float> to_logprob(Tokens::kCount), to_entropy(Tokens::kCount);
    std::vector<double> own(Surrogate::kSums, 100.0), values;
    surrogate_on_device(kHere, {tokens, options, to_logprob.data(), to_entropy.data(), own.data()});
    append(values, to_logprob);
    append(values, to_entropy);
    append(values, own);
    return values;
  });
}

void check_sequence_means(const Tokens& tokens) {
  const std::vector<int64_t> offsets{0, 1, 34, 400, Tokens::kCount};
  const double cap = 1.5;
  std::vector<double> ratios(Tokens::kCount), corrections(Tokens::kCount);
  for (size_t s = 0; s + 1 < offsets.size(); s++) {
    double ratio = 0, correction = 0;
    const double count = static_cast<double>(offsets[s + 1] - offsets[s]);
    for (int64_t i = offsets[s]; i < offsets[s + 1]; i++) {
      ratio += static_cast<double>(tokens.logprobs[i]) - tokens.old_logprobs[i];
      correction += std::min(std::exp(static_cast<double>(tokens.old_logprobs[i]) - tokens.sampler[i]), cap);
    }
    for (int64_t i = offsets[s]; i < offsets[s + 1]; i++) {
      ratios[i] = ratio / count;
      corrections[i] = correction / count;
    }
  }
  std::vector<double> expected = ratios;
  append(expected, corrections);
  check("sequence means", expected, 1e-12, [&] {
    std::vector<double> to_ratios(Tokens::kCount), to_corrections(Tokens::kCount);
    sequence_means_on_device(kHere,
                             {tokens.logprobs.data(), tokens.old_logprobs.data(), tokens.sampler.data(), offsets.data(),
                              static_cast<int64_t>(offsets.size()) - 1, cap, to_ratios.data(), to_corrections.data()});
    std::vector<double> values = to_ratios;
    append(values, to_corrections);
    return values;
  });
}

}  // namespace

void check_loss() {
  for (const auto& [rows, vocab, spread] : {std::tuple{3, 6000, 2.0}, {2, 3001, 2.0}, {2, 3, 1.0}, {2, 2048, 30.0}}) {
    check_rows<float>(rows, vocab, spread);
    check_rows<__nv_bfloat16>(rows, vocab, spread);
  }
  const Tokens tokens;
  LossOptions options;
  options.entropy_coefficient = 0.02;
  options.kl_coefficient = 0.1;
  check_surrogate("on-policy", tokens, options, false, false, false);
  check_surrogate("clipped, with k3", tokens, options, true, true, false);
  options.dual_clip = 1.5;
  options.importance_sampling_cap = 1.2;
  check_surrogate("dual clip, importance weights", tokens, options, true, true, false);
  check_surrogate("sequence ratios", tokens, options, true, false, true);
  check_sequence_means(tokens);
}

}  // namespace magic
