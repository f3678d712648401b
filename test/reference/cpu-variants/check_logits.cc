// One row of logits: its blocks' sums, weights and gradient.

#include <algorithm>
#include <cmath>

#include "check.h"

namespace magic {

namespace {

void check_row(const Kernels& kernels, const std::string& kind, const std::vector<float>& logits, float scale) {
  const auto count = static_cast<int64_t>(logits.size());
  const std::string name = std::to_string(count) + " " + kind;
  const int64_t blocks = (count + kLogitBlock - 1) / kLogitBlock;
  std::vector<Expected> expected(2 * blocks), tops(blocks);
  float largest = -kInfinity;
  for (int64_t b = 0; b < blocks; b++) {
    const int64_t first = b * kLogitBlock, last = std::min(count, first + kLogitBlock);
    float top = -kInfinity;
    for (int64_t i = first; i < last; i++) top = std::fmax(top, logits[i] * scale);
    largest = std::fmax(largest, top);
    tops[b].value = top;
    bool nan = false;
    for (int64_t i = first; i < last; i++) {
      // by how much float32 is off, and the exponential with it
      const double z = double{logits[i]} * scale - top, off = 8 + std::abs(z) + std::abs(top), e = std::exp(z);
      nan |= std::isnan(logits[i]);
      expected[2 * b].add(e, last - first);
      expected[2 * b + 1].add(e * z, last - first);
      if (e == 0) continue;
      expected[2 * b].slack += off * 0x1p-23 * e;
      expected[2 * b + 1].slack += off * 0x1p-23 * e * (1 + std::abs(z));
    }
    if (nan) tops[b].slack = kInfinity;
  }
  std::vector<LogitBlock> out(blocks);
  kernels.scan_logits(logits.data(), count, scale, out.data());
  std::vector<float> largests, sums;
  for (const LogitBlock& block : out) {
    largests.push_back(block.largest);
    sums.insert(sums.end(), {block.sum, block.weighted});
  }
  check("largest logits " + name, tops, largests);
  check("sums of logits " + name, expected, sums);

  constexpr float kA = 0.7f, kB = -0.3f;
  std::vector<Expected> weights(count), gradient(count);
  for (int64_t i = 0; i < count; i++) {
    const double z = double{logits[i]} * scale - largest, e = std::exp(z);
    const double off = e == 0 ? 0 : (8 + std::abs(z) + std::abs(largest)) * 0x1p-23 * e;
    weights[i] = {e, off};
    gradient[i] = {e * (kA + kB * z), e == 0 ? 0 : off * (std::abs(kA) + std::abs(kB) * (1 + std::abs(z)))};
  }
  auto result = room<float>(count);
  kernels.logit_weights(logits.data(), count, scale, largest, result.data());
  check("weights of logits " + name, weights, result);
  result = guarded(logits);
  kernels.float32.logit_gradient(result.data(), count, scale, largest, kA, kB, result.data());
  check("gradient of logits " + name, gradient, result);
  for (Expected& each : gradient) each.slack += kStep<c10::BFloat16> / 2 * std::abs(each.value);
  auto rounded = room<c10::BFloat16>(count);
  kernels.bfloat16.logit_gradient(logits.data(), count, scale, largest, kA, kB, rounded.data());
  check("bfloat16 gradient of logits " + name, gradient, rounded);
}

}  // namespace

void check_logits(const Kernels& kernels) {
  for (const int64_t count : {1, 3, 8, 15, 16, 17, 33, 959, 960, 961, 968, 1000, 1931, 49152}) {
    check_row(kernels, "near", normal<float>(count, 3.0), 1.0f);
    check_row(kernels, "far apart, at a temperature", normal<float>(count, 30.0, -12.0), 1.25f);
  }
  for (const int64_t at : {0, 5, 40, 958, 959, 1100}) {
    for (const float special : {kNan, kInfinity, -kInfinity, 1e30f, -1e30f, -87.0f, -88.0f, -104.0f, -150.0f, 1e-30f}) {
      std::vector<float> logits = normal<float>(1111, 0.5);
      logits[at] = special;
      check_row(kernels, std::to_string(special) + " at " + std::to_string(at), logits, 1.0f);
    }
  }
  check_row(kernels, "equal", std::vector<float>(1930, -3.5f), 1.0f);
  std::vector<float> falling(1920);
  for (size_t i = 0; i < falling.size(); i++) falling[i] = -0.1f * static_cast<float>(i);
  check_row(kernels, "falling", falling, 1.0f);
}

}  // namespace magic
