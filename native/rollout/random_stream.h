#pragma once
// The random numbers of a sample: one definition, on the CPU and in the kernel library.

#include <cstdint>

#include "cuda/host_device.h"

namespace magic {

// splitmix64's finaliser (Steele, Lea and Flood, 2014).
MAGIC_HOST_DEVICE inline uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// Uniform in [0, 1) from a sample's seed and the index of the token: a counter, not a state, so that a sample's tokens
// depend on nothing but its own seed.
MAGIC_HOST_DEVICE inline double uniform(uint64_t seed, uint64_t index) {
  const uint64_t bits = mix(mix(seed + 0x9e3779b97f4a7c15ULL) + (index + 1) * 0x9e3779b97f4a7c15ULL);
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

}  // namespace magic
