#pragma once
// The part of CUDA's language and runtime that the kernels use, for a C++ compiler. One block runs at a time, its
// threads as fibers (fibers.h).

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include "fibers.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
// One block at a time: what its threads share is one object. Each block finds what the last one left.
#define __shared__ static

using std::isfinite;

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

inline dim3 gridDim, blockDim, blockIdx, threadIdx;

using cudaStream_t = void*;
enum cudaError_t : int { cudaSuccess = 0, cudaErrorInvalidValue = 1 };
enum cudaDeviceAttr { cudaDevAttrComputeCapabilityMajor };

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
};

inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) { return *value = 9, cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t) { return "invalid argument"; }

// Launches that are recorded in place of being run: kernels, grids and arguments by value, as a device keeps them.
using Launches = std::vector<std::function<void()>>;
using cudaGraph_t = Launches*;
using cudaGraphExec_t = Launches*;
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal };

inline Launches* capturing = nullptr;
// So many captures of the process fail, the first ones: a device has reasons that can't be had here.
inline int refusals = [] {
  const char* given = std::getenv("CUDA_ON_CPU_REFUSALS");
  return given ? std::atoi(given) : 0;
}();

inline cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (!stream || capturing || (refusals > 0 && refusals--)) return cudaErrorInvalidValue;
  capturing = new Launches;
  return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  *graph = std::exchange(capturing, nullptr);
  return *graph ? cudaSuccess : cudaErrorInvalidValue;
}
inline cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* runnable, cudaGraph_t graph, unsigned long long) {
  *runnable = new Launches(*graph);
  return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete graph, cudaSuccess; }
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t runnable) { return delete runnable, cudaSuccess; }
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t runnable, cudaStream_t) {
  for (const auto& launch : *runnable) launch();
  return cudaSuccess;
}

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  const dim3 grid = config->gridDim, block = config->blockDim;
  if (block.x == 0 || block.x > 1024 || block.x % 32 != 0 || grid.y > 65535 || grid.z > 65535) {
    return cudaErrorInvalidValue;
  }
  if (capturing) {
    const auto values = std::make_tuple(arguments...);
    capturing->push_back([copy = *config, kernel, values] {
      std::apply([&](const auto&... each) { cudaLaunchKernelEx(&copy, kernel, each...); }, values);
    });
    return cudaSuccess;
  }
  gridDim = grid;
  blockDim = block;
  const uint64_t count = static_cast<uint64_t>(grid.x) * grid.y * grid.z;
  for (uint64_t i = 0; i < count; i++) {
    blockIdx = dim3(static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y),
                    static_cast<unsigned>(i / grid.x / grid.y));
    fibers::run(
        block.x, [&] { kernel(arguments...); }, [](unsigned thread) { threadIdx = dim3(thread, 0, 0); });
  }
  return cudaSuccess;
}

inline void __syncthreads() { fibers::meet_block(); }

// What every lane of the mask gave, as bits.
template <class Value>
const uint64_t* exchange(unsigned mask, Value value) {
  static_assert(sizeof(Value) <= sizeof(uint64_t));
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(Value));
  return fibers::meet_warp(mask, bits);
}

template <class Value>
Value __shfl_sync(unsigned mask, Value value, int lane) {
  std::memcpy(&value, &exchange(mask, value)[lane % 32], sizeof(Value));
  return value;
}

template <class Value>
Value __shfl_xor_sync(unsigned mask, Value value, int lane_mask) {
  return __shfl_sync(mask, value, static_cast<int>(threadIdx.x % 32) ^ lane_mask);
}

template <class Value>
Value __shfl_up_sync(unsigned mask, Value value, unsigned delta) {
  const unsigned lane = threadIdx.x % 32;
  return __shfl_sync(mask, value, static_cast<int>(lane < delta ? lane : lane - delta));
}

inline unsigned __ballot_sync(unsigned mask, int predicate) {
  const uint64_t* lanes = exchange(mask, predicate != 0);
  unsigned votes = 0;
  for (unsigned lane = 0; lane < 32; lane++) votes |= (lanes[lane] ? 1u : 0u) << lane;
  return votes & mask;
}

template <class Number>
Number atomicAdd(Number* to, Number value) {
  const Number before = *to;
  *to += value;
  return before;
}

inline int __ffs(int value) { return __builtin_ffs(value); }
inline int __clz(int value) { return value == 0 ? 32 : __builtin_clz(static_cast<unsigned>(value)); }
inline int __popc(unsigned value) { return __builtin_popcount(value); }
template <class Number>
Number min(Number a, Number b) {
  return b < a ? b : a;
}
inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
