#include "cpu/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "policy/packing.h"

#define MAGIC_INLINE __attribute__((always_inline)) inline

// Everything once for each instruction set, in a namespace of its own.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define MAGIC_VARIANTS
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2")
namespace magic::avx2 {
constexpr int64_t kLanes = 8, kStripRows = 6;
#include "cpu/variant.inl"
}  // namespace magic::avx2
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,bmi,bmi2,prefer-vector-width=512")
namespace magic::avx512 {
constexpr int64_t kLanes = 16, kStripRows = 12;
#include "cpu/variant.inl"
}  // namespace magic::avx512
#pragma GCC pop_options
#endif

namespace magic::baseline {
constexpr int64_t kLanes = 4, kStripRows = 6;
#include "cpu/variant.inl"
}  // namespace magic::baseline

namespace magic {

const Kernels& kernels() {
#ifdef MAGIC_VARIANTS
  static const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                 __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  static const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                               __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  static const Kernels& best =
      has_avx512 && has_avx2 ? avx512::kKernels : (has_avx2 ? avx2::kKernels : baseline::kKernels);
  return best;
#else
  return baseline::kKernels;
#endif
}

}  // namespace magic
