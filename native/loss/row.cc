#include "loss/row.h"

#include <cmath>
#include <cstring>
#include <limits>

// gcc lowers these 16-lane vectors to the widest registers of each clone.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define MAGIC_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MAGIC_CLONES
#endif

namespace magic {

namespace {

constexpr int64_t kLanes = 16;
using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));
using Ints = int32_t __attribute__((vector_size(kLanes * sizeof(int32_t))));

#define MAGIC_INLINE __attribute__((always_inline)) inline

MAGIC_INLINE void load(Floats& out, const float* from) { std::memcpy(&out, from, sizeof(Floats)); }
MAGIC_INLINE void store(float* to, const Floats& value) { std::memcpy(to, &value, sizeof(Floats)); }

// exp(x) for x <= 0 to about 2 ulp: x = n log 2 + r, a polynomial in r (Cephes' expf), and n into the exponent. Below
// -87 the result is 0.
MAGIC_INLINE void exp_nonpositive(Floats& x) {
  const Ints tiny = x < -87.0f;
  x = tiny ? Floats{} - 87.0f : x;
  const Floats scaled = x * 1.44269504088896341f - 0.5f;
  const Ints n = __builtin_convertvector(scaled, Ints);  // truncation of a value <= -0.5: rounds x / log 2 to nearest
  const Floats whole = __builtin_convertvector(n, Floats);
  const Floats r = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
  Floats y = r * 1.9875691500e-4f + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  y = y * r * r + r + 1.0f;
  Ints bits = (n + 127) << 23;
  bits = tiny ? bits ^ bits : bits;
  Floats power;
  std::memcpy(&power, &bits, sizeof(power));
  x = y * power;
}

}  // namespace

MAGIC_CLONES RowStatistics row_statistics(const float* logits, int64_t vocab, float scale) {
  const int64_t whole = vocab / kLanes * kLanes;
  Floats largest_lanes = Floats{} - std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < whole; i += kLanes) {
    Floats z;
    load(z, logits + i);
    z *= scale;
    largest_lanes = z > largest_lanes ? z : largest_lanes;
  }
  float largest = -std::numeric_limits<float>::infinity();
  for (int64_t lane = 0; lane < kLanes; lane++) largest = std::fmax(largest, largest_lanes[lane]);
  for (int64_t i = whole; i < vocab; i++) largest = std::fmax(largest, logits[i] * scale);

  // Blocks bound the float32 rounding of long rows; the block sums are added in double.
  double sum = 0, weighted = 0;
  constexpr int64_t kBlock = 256 * kLanes;
  for (int64_t start = 0; start < whole; start += kBlock) {
    const int64_t stop = start + kBlock < whole ? start + kBlock : whole;
    Floats s{}, u{};
    for (int64_t i = start; i < stop; i += kLanes) {
      Floats z;
      load(z, logits + i);
      const Floats shifted = z * scale - largest;
      Floats e = shifted;
      exp_nonpositive(e);
      s += e;
      u += e * shifted;
    }
    for (int64_t lane = 0; lane < kLanes; lane++) {
      sum += s[lane];
      weighted += u[lane];
    }
  }
  for (int64_t i = whole; i < vocab; i++) {
    const double shifted = static_cast<double>(logits[i] * scale) - largest;
    const double e = std::exp(shifted);
    sum += e;
    weighted += e * shifted;
  }
  const double log_s = std::log(sum);
  return {largest, sum, log_s - weighted / sum, largest + log_s};
}

MAGIC_CLONES void row_gradient(float* logits, int64_t vocab, float scale, const RowStatistics& statistics,
                               int64_t target, float g_logprob, float g_entropy) {
  const float largest = statistics.largest;
  const float log_s = static_cast<float>(statistics.log_sum - largest);
  const float inverse = static_cast<float>(1.0 / statistics.sum);
  // -g_l p - g_e p (log p + H) = p (a + b log p)
  const float b = -g_entropy * scale;
  const float a = -g_logprob * scale + b * static_cast<float>(statistics.entropy);
  const int64_t whole = vocab / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    Floats z;
    load(z, logits + i);
    const Floats shifted = z * scale - largest;
    Floats p = shifted;
    exp_nonpositive(p);
    p *= inverse;
    store(logits + i, p * (a + b * (shifted - log_s)));
  }
  for (int64_t i = whole; i < vocab; i++) {
    const float shifted = logits[i] * scale - largest;
    logits[i] = std::exp(shifted) * inverse * (a + b * (shifted - log_s));
  }
  logits[target] += g_logprob * scale;
}

}  // namespace magic
