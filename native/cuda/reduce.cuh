#pragma once
// Sums over a warp and over a block of threads, every thread getting the result. A block has whole warps, 1024 threads
// at most.

#include <cuda_runtime.h>

namespace magic {

constexpr unsigned kWarp = 32, kAllLanes = 0xffffffffu;

template <class Number>
__device__ __forceinline__ Number warp_sum(Number value) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(kAllLanes, value, offset);
  return value;
}

template <class Number>
__device__ __forceinline__ Number block_sum(Number value) {
  __shared__ Number of_warp[kWarp];
  const unsigned lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  value = warp_sum(value);
  if (warps == 1) return value;
  if (lane == 0) of_warp[warp] = value;
  __syncthreads();
  const Number total = warp_sum(lane < warps ? of_warp[lane] : Number(0));
  __syncthreads();  // before the next sum writes there
  return total;
}

}  // namespace magic
