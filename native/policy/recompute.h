#pragma once
// What the backward computes again instead of keeping it (selective activation recomputation, Korthikanti et al. 2022).

#include <cstdint>

namespace magic {

enum class Recompute {
  kNothing,
  kMlp,    // gate and up projections: one GEMM, and half of what a layer keeps
  kLayer,  // all but the layer's input
};

// The first `layers` layers as a whole, then the MLP of `mlps` more. The backward comes to them last, when little else
// is kept.
struct RecomputePlan {
  int64_t layers = 0, mlps = 0;

  Recompute of(int64_t layer) const {
    return layer < layers ? Recompute::kLayer : layer < layers + mlps ? Recompute::kMlp : Recompute::kNothing;
  }
};

}  // namespace magic
