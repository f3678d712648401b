#pragma once
// Top-k and top-p without sorting: the place where the mass of the likeliest tokens, or their count, passes a target is
// found by histograms, first of the distance to the largest logit, then of the bits of the logit. Masses are integers,
// so that no sum depends on the order of its terms. Called by a whole block of threads.

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/reduce.cuh"

namespace magic {

using Mass = unsigned long long;

struct TruncatedRow {
  const float* logits;
  int64_t vocab;
  float scale, largest;  // largest: of logit * scale

  static constexpr int kDistances = 2048, kBytes = 256;

  // e^(z - largest) in units of 2^-40.
  __device__ __forceinline__ Mass weight(float logit) const {
    return static_cast<Mass>(expf(logit * scale - largest) * 0x1.0p40f);
  }
  // Steps of 1 / 32 below the largest.
  __device__ __forceinline__ int distance(float logit) const {
    const float steps = (largest - logit * scale) * 32.0f;
    return steps < kDistances - 1 ? static_cast<int>(steps) : kDistances - 1;
  }
};

// Unsigned integers in the order of the floats; 0 and -0 are one.
__device__ __forceinline__ uint32_t ordered(float logit) {
  const uint32_t bits = __float_as_uint(logit + 0.0f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// In descending order of the logits, equal ones in the order of their ids: the `rank`-th (from 1) of those with this
// key is where the running mass reaches the target.
struct Boundary {
  uint32_t key;
  Mass rank, before, each;  // before: mass of the likelier keys

  __device__ __forceinline__ Mass mass() const { return before + rank * each; }
};

// Adds the bins up until they reach the target: the bin, and in `before` the sum of those ahead of it.
template <int kBins>
__device__ int reach(const Mass* bins, Mass target, Mass& before) {
  __shared__ int found;
  __shared__ Mass ahead;
  const int lane = threadIdx.x % kWarp;
  __syncthreads();  // the bins are full
  if (threadIdx.x < kWarp) {
    constexpr int kOwn = kBins / kWarp;
    Mass own = 0;
    for (int i = 0; i < kOwn; i++) own += bins[lane * kOwn + i];
    Mass running = own;
    for (int offset = 1; offset < static_cast<int>(kWarp); offset *= 2) {
      const Mass below = __shfl_up_sync(kAllLanes, running, offset);
      if (lane >= offset) running += below;
    }
    if (running >= target && running - own < target) {
      Mass sum = running - own;
      int bin = lane * kOwn;
      while (sum + bins[bin] < target) sum += bins[bin++];
      found = bin;
      ahead = sum;
    }
  }
  __syncthreads();
  before = ahead;
  const int bin = found;
  __syncthreads();  // before the bins and these are written again
  return bin;
}

// target: from 1 to the mass (or the count) of the whole row.
template <bool kByCount>
__device__ Boundary find_boundary(const TruncatedRow& row, Mass target) {
  __shared__ Mass bins[TruncatedRow::kDistances];
  const auto clear = [&](int count) {
    for (int i = threadIdx.x; i < count; i += blockDim.x) bins[i] = 0;
    __syncthreads();
  };
  const auto mass = [&](float logit) { return kByCount ? Mass(1) : row.weight(logit); };
  clear(TruncatedRow::kDistances);
  for (int64_t i = threadIdx.x; i < row.vocab; i += blockDim.x) {
    const float logit = row.logits[i];
    atomicAdd(&bins[row.distance(logit)], mass(logit));
  }
  Boundary boundary{};
  const int distance = reach<TruncatedRow::kDistances>(bins, target, boundary.before);
#pragma unroll 1
  for (int shift = 24; shift >= 0; shift -= 8) {
    clear(TruncatedRow::kBytes);
    for (int64_t i = threadIdx.x; i < row.vocab; i += blockDim.x) {
      const float logit = row.logits[i];
      const uint32_t key = ordered(logit);
      // Compared in 64 bits: a shift by 32 of 32 bits is not defined.
      const bool candidate = (static_cast<uint64_t>(key) >> (shift + 8)) == boundary.key;
      if (candidate && row.distance(logit) == distance) {
        atomicAdd(&bins[TruncatedRow::kBytes - 1 - (key >> shift) % TruncatedRow::kBytes], mass(logit));
      }
    }
    Mass before;
    const int bin = reach<TruncatedRow::kBytes>(bins, target - boundary.before, before);
    boundary.before += before;
    boundary.key = boundary.key * TruncatedRow::kBytes + (TruncatedRow::kBytes - 1 - bin);
  }
  const uint32_t bits = boundary.key & 0x80000000u ? boundary.key & 0x7fffffffu : ~boundary.key;
  boundary.each = mass(__uint_as_float(bits));
  boundary.rank = (target - boundary.before + boundary.each - 1) / boundary.each;
  return boundary;
}

// The `rank`-th token, from 1, that has the key; warps look at neighbouring parts of the row.
__device__ inline int64_t find_tie(const TruncatedRow& row, uint32_t key, Mass rank) {
  __shared__ Mass ties[kWarp];
  __shared__ int64_t found;
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  const int64_t part = (row.vocab + warps - 1) / warps, begin = part * warp;
  const int64_t end = begin + part < row.vocab ? begin + part : row.vocab;
  if (threadIdx.x == 0) found = 0;
  Mass own = 0;
  for (int64_t i = begin + lane; i < end; i += kWarp) own += ordered(row.logits[i]) == key;
  own = warp_sum(own);
  if (lane == 0) ties[warp] = own;
  __syncthreads();
  Mass before = 0;
  for (int w = 0; w < warp; w++) before += ties[w];
  if (before < rank && rank <= before + own) {
    for (int64_t start = begin; start < end; start += kWarp) {
      const int64_t i = start + lane;
      const bool tie = i < end && ordered(row.logits[i]) == key;
      const unsigned lanes = __ballot_sync(kAllLanes, tie);
      const unsigned below = lanes & ((1u << lane) - 1u);
      if (tie && before + __popc(below) + 1 == rank) found = i;
      before += __popc(lanes);
    }
  }
  __syncthreads();
  const int64_t token = found;
  __syncthreads();
  return token;
}

// Of the weights of the tokens that are likelier than the key.
__device__ inline Mass mass_above(const TruncatedRow& row, uint32_t key) {
  Mass sum = 0;
  for (int64_t i = threadIdx.x; i < row.vocab; i += blockDim.x) {
    if (ordered(row.logits[i]) > key) sum += row.weight(row.logits[i]);
  }
  return block_sum(sum);
}

__device__ __forceinline__ Mass within(double target, Mass largest) {
  const Mass rounded = target < 1 ? 1 : static_cast<Mass>(target);
  return rounded < largest ? rounded : largest;
}

// Top-k (0: off), then the smallest set of likeliest tokens whose mass reaches top_p of that, then a draw from it.
__device__ inline int64_t draw_truncated(const TruncatedRow& row, int64_t top_k, double top_p, double u) {
  Mass mass;
  if (top_k > 0 && top_k < row.vocab) {
    const Boundary last = find_boundary<true>(row, static_cast<Mass>(top_k));
    const uint32_t bits = last.key & 0x80000000u ? last.key & 0x7fffffffu : ~last.key;
    mass = mass_above(row, last.key) + last.rank * row.weight(__uint_as_float(bits));
  } else {
    mass = mass_above(row, 0);
  }
  if (top_p < 1) {
    mass = find_boundary<false>(row, within(ceil(top_p * static_cast<double>(mass)), mass)).mass();
  }
  const Boundary drawn = find_boundary<false>(row, within(floor(u * static_cast<double>(mass)) + 1, mass));
  return find_tie(row, drawn.key, drawn.rank);
}

}  // namespace magic
