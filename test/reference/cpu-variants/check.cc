// Runs the CPU's kernels against plain double precision, in every variant that this processor has: all kernels, or the
// named parts.

#include "check.h"

#include <cmath>
#include <cstdio>
#include <utility>

namespace magic {

namespace {

std::string variant;
int failures = 0;

}  // namespace

void check(const std::string& name, const std::vector<Expected>& expected, const std::vector<float>& values) {
  double largest = 0;
  std::string wrong;
  const auto differs = [&](size_t i, double value) {
    if (wrong.empty()) {
      wrong = "; [" + std::to_string(i) + "] is " + std::to_string(values[i]) + ", not " + std::to_string(value);
    }
  };
  for (size_t i = 0; i < expected.size(); i++) {
    const auto [value, slack] = expected[i];
    if (slack == kInfinity) continue;
    if (std::isfinite(value)) {
      const double share = std::abs(values[i] - value) / (slack + 1e-36);
      if (!(share <= largest)) largest = share;
      if (!(share <= 1)) differs(i, value);
    } else if (std::isnan(value) ? !std::isnan(values[i]) : values[i] != value) {
      differs(i, value);
    }
  }
  for (size_t i = expected.size(); i < values.size(); i++) {
    if (values[i] != static_cast<float>(static_cast<c10::BFloat16>(kUntouched)) && values[i] != kUntouched) {
      differs(i, kUntouched);
    }
  }
  failures += !wrong.empty();
  std::printf("%s %s %s: %zu values, %.2g of the bound%s\n", wrong.empty() ? "ok" : "FAILED", variant.c_str(),
              name.c_str(), expected.size(), largest, wrong.c_str());
}

}  // namespace magic

int main(int count, char** names) {
  using namespace magic;
  const std::pair<const char*, void (*)(const Kernels&)> parts[] = {{"rows", check_rows},
                                                                    {"logits", check_logits},
                                                                    {"gemm", check_gemm},
                                                                    {"attention", check_attention},
                                                                    {"decode", check_decode}};
  for (const auto& [name, kernels] : kernel_variants()) {
    variant = name;
    random_bits.seed(20240229);
    for (const auto& [part, check] : parts) {
      bool named = count == 1;
      for (int i = 1; i < count; i++) named |= part == std::string(names[i]);
      if (named) check(*kernels);
    }
  }
  return failures == 0 ? 0 : 1;
}
