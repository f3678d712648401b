#include "cpu/kernels.h"

namespace magic {

namespace DEFAULT {
extern const Kernels kKernels;
}
#ifdef __x86_64__
namespace AVX2 {
extern const Kernels kKernels;
}
namespace AVX512 {
extern const Kernels kKernels;
}
#endif

bool has_wide_vectors() {
#ifdef __x86_64__
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return has;
#else
  return false;
#endif
}

std::vector<KernelVariant> kernel_variants() {
  std::vector<KernelVariant> variants{{"default", &DEFAULT::kKernels}};
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
      __builtin_cpu_supports("bmi2")) {
    variants.push_back({"avx2", &AVX2::kKernels});
    if (has_wide_vectors()) variants.push_back({"avx512", &AVX512::kKernels});
  }
#endif
  return variants;
}

const Kernels& kernels() {
  static const Kernels& best = *kernel_variants().back().kernels;
  return best;
}

}  // namespace magic
