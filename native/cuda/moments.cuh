#pragma once
// Running maximum m, S = sum e^(z - m) and U = sum e^(z - m) (z - m) of numbers z, mergeable in any order: what
// log-prob and entropy of a row of logits need, in one pass.

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/element.cuh"
#include "cuda/reduce.cuh"

namespace magic {

struct Moments {
  // Finite, so that differences of two are: below what a float32 logit can be without overflow.
  float largest = -1e30f, sum = 0, weighted = 0;
};

// To a larger maximum. Not-a-numbers are in the sums, never in the maximum.
__device__ __forceinline__ void raise(Moments& moments, float largest) {
  const float shift = moments.largest - largest, factor = expf(shift);
  moments.weighted = factor * (moments.weighted + moments.sum * shift);
  moments.sum *= factor;
  moments.largest = largest;
}

__device__ __forceinline__ void merge(Moments& moments, Moments other) {
  if (other.largest > moments.largest) raise(moments, other.largest);
  raise(other, moments.largest);
  moments.sum += other.sum;
  moments.weighted += other.weighted;
}

__device__ __forceinline__ void add(Moments& moments, float z) {
  const float shifted = z - moments.largest, e = expf(shifted);
  moments.sum += e;
  moments.weighted += e * shifted;
}

// Of logits[first], logits[first + step] ..., `kWidth` neighbours each; vocab is a multiple of kWidth.
template <int kWidth>
__device__ __forceinline__ Moments row_moments(const float* logits, int64_t vocab, float scale, int64_t first,
                                               int64_t step) {
  Moments moments;
  const auto* packs = reinterpret_cast<const Pack<float, kWidth>*>(logits);
  for (int64_t i = first; i < vocab / kWidth; i += step) {
    Pack<float, kWidth> z = packs[i];
    float largest = moments.largest;
    for (int k = 0; k < kWidth; k++) {
      z.values[k] *= scale;
      if (z.values[k] > largest) largest = z.values[k];
    }
    if (largest > moments.largest) raise(moments, largest);
    for (int k = 0; k < kWidth; k++) add(moments, z.values[k]);
  }
  return moments;
}

__device__ __forceinline__ Moments warp_moments(Moments moments) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    Moments other;
    other.largest = __shfl_xor_sync(kAllLanes, moments.largest, offset);
    other.sum = __shfl_xor_sync(kAllLanes, moments.sum, offset);
    other.weighted = __shfl_xor_sync(kAllLanes, moments.weighted, offset);
    merge(moments, other);
  }
  return moments;
}

// Every thread gets the block's.
__device__ __forceinline__ Moments block_moments(Moments moments) {
  __shared__ float largest[kWarp], sum[kWarp], weighted[kWarp];
  const unsigned lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  moments = warp_moments(moments);
  if (lane == 0) {
    largest[warp] = moments.largest;
    sum[warp] = moments.sum;
    weighted[warp] = moments.weighted;
  }
  __syncthreads();
  moments = Moments{};
  if (lane < warps) {
    moments.largest = largest[lane];
    moments.sum = sum[lane];
    moments.weighted = weighted[lane];
  }
  moments = warp_moments(moments);
  __syncthreads();  // before the next call writes there
  return moments;
}

}  // namespace magic
