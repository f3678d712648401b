#pragma once
// Float32 and bfloat16 in memory, float32 in registers; 16 bytes at a time where rows allow it.

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/kernels.h"

namespace magic {

__device__ __forceinline__ float to_float(float value) { return value; }
__device__ __forceinline__ float to_float(__nv_bfloat16 value) { return __bfloat162float(value); }

template <class T>
__device__ __forceinline__ T to_element(float value);
template <>
__device__ __forceinline__ float to_element<float>(float value) {
  return value;
}
template <>
__device__ __forceinline__ __nv_bfloat16 to_element<__nv_bfloat16>(float value) {
  return __float2bfloat16_rn(value);
}

// `kCount` neighbours, in one access: the address is a multiple of their size.
template <class T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  T values[kCount];
};

template <class T>
constexpr int kPack = 16 / sizeof(T);

// Whether every row of these begins at a multiple of `count` elements.
template <class... Sizes>
inline bool aligned(int64_t count, const void* pointer, int64_t element_size, Sizes... sizes) {
  return reinterpret_cast<uintptr_t>(pointer) % (count * element_size) == 0 && ((sizes % count == 0) && ...);
}

template <class Run>
int with_element(Element element, Run&& run) {
  return element == Element::kFloat ? run(float{}) : run(__nv_bfloat16{});
}

}  // namespace magic
