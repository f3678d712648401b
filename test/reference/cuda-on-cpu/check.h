#pragma once
// What a check needs: values of both element types, a random stream, and a comparison in every order of the threads.

#include <cuda_bf16.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "cuda/element.cuh"
#include "cuda/functions.h"

namespace magic {

inline const Launch kHere{0, nullptr};

template <class T>
constexpr Element kElementOf = std::is_same_v<T, float> ? Element::kFloat : Element::kBFloat16;
template <class T>
inline const char* name_of() {
  return std::is_same_v<T, float> ? "float32" : "bfloat16";
}
// Of one value: the step between neighbours at 1, where two ways of rounding may part.
template <class T>
constexpr double kStep = std::is_same_v<T, float> ? 0x1p-23 : 0x1p-7;

inline std::mt19937_64 random_bits{20240229};

template <class T>
std::vector<T> normal(size_t count, double deviation = 1.0, double mean = 0.0) {
  std::normal_distribution<double> distribution(mean, deviation);
  std::vector<T> values(count);
  for (T& value : values) value = to_element<T>(static_cast<float>(distribution(random_bits)));
  return values;
}

template <class T>
double rounded(double value) {
  return to_float(to_element<T>(static_cast<float>(value)));
}

template <class T>
void append(std::vector<double>& to, const std::vector<T>& values) {
  for (const T& value : values) {
    if constexpr (std::is_same_v<T, __nv_bfloat16>) {
      to.push_back(to_float(value));
    } else {
      to.push_back(static_cast<double>(value));
    }
  }
}

inline int failures = 0;

// `run` gives the kernel's values: the same bits in any order of the threads, and within bound * (1 + |expected|), plus
// `slack` of each where that is given.
inline void check(const std::string& name, const std::vector<double>& expected, double bound,
                  const std::function<std::vector<double>()>& run, const std::vector<double>& slack = {}) {
  std::vector<double> first;
  double largest = 0;
  bool ordered = true;
  for (const fibers::Order order : {fibers::Order::kRising, fibers::Order::kFalling, fibers::Order::kShuffled}) {
    fibers::order = order;
    const std::vector<double> values = run();
    if (first.empty()) first = values;
    ordered &= values == first && values.size() == expected.size();
  }
  for (size_t i = 0; ordered && i < expected.size(); i++) {
    const double unexplained = std::abs(first[i] - expected[i]) - (slack.empty() ? 0.0 : slack[i]);
    const double difference = unexplained / (1 + std::abs(expected[i]));
    if (!(difference <= largest)) largest = difference;
  }
  const bool good = ordered && largest <= bound;
  failures += !good;
  std::printf("%s %s: %zu values, %.2g of %.2g%s\n", good ? "ok" : "FAILED", name.c_str(), expected.size(), largest,
              bound, ordered ? "" : ", and they depend on the order of the threads");
}

void check_policy();
void check_loss();
void check_sampler();
void check_cache();

}  // namespace magic
