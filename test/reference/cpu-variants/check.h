#pragma once
// What a check needs: values of both element types, a random stream, and a comparison with a bound for each value.

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "cpu/kernels.h"

namespace magic {

template <class T>
inline const char* name_of() {
  return std::is_same_v<T, float> ? "float32" : "bfloat16";
}
// The step between neighbours at 1, where two ways of rounding may part.
template <class T>
constexpr double kStep = std::is_same_v<T, float> ? 0x1p-23 : 0x1p-7;

constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

inline std::mt19937_64 random_bits;

template <class T>
std::vector<T> normal(int64_t count, double deviation = 1.0, double mean = 0.0) {
  std::normal_distribution<double> distribution(mean, deviation);
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(static_cast<float>(distribution(random_bits)));
  return values;
}

template <class T>
double rounded(double value) {
  return static_cast<float>(static_cast<T>(static_cast<float>(value)));
}

// A value and how far off it may be: a sum in float32 by so much of its terms' magnitudes.
struct Expected {
  double value = 0, slack = 0;

  // Adds a term of a sum of `count` (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2).
  void add(double term, int64_t count) {
    value += term;
    slack += static_cast<double>(count + 8) * 0x1p-24 * std::abs(term);
  }
};

// Behind every result that a kernel writes stand so many numbers that it must leave alone.
constexpr int64_t kGuard = 64;
constexpr float kUntouched = -12345.0f;

template <class T>
std::vector<T> room(int64_t count) {
  return std::vector<T>(count + kGuard, static_cast<T>(kUntouched));
}

template <class T>
std::vector<T> guarded(std::vector<T> values) {
  values.insert(values.end(), kGuard, static_cast<T>(kUntouched));
  return values;
}

// The values are those expected: not a number and infinities at the same places, and nothing behind them is changed.
void check(const std::string& name, const std::vector<Expected>& expected, const std::vector<float>& values);

template <class T>
void check(const std::string& name, const std::vector<Expected>& expected, const std::vector<T>& values) {
  check(name, expected, std::vector<float>(values.begin(), values.end()));
}

void check_rows(const Kernels& kernels);
void check_logits(const Kernels& kernels);
void check_gemm(const Kernels& kernels);
void check_attention(const Kernels& kernels);
void check_decode(const Kernels& kernels);

}  // namespace magic
