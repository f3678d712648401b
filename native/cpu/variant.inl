// The kernels for one instruction set, that of the file which includes this. No more headers than it takes: what is
// inline in them and not inlined here, the linker may take for everybody, and not every processor has these
// instructions.

#include <ATen/cpu/vec/functional.h>
#include <ATen/cpu/vec/vec.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "cpu/kernels.h"
#include "policy/segment.h"

#define MAGIC_INLINE __attribute__((always_inline)) inline

namespace magic::CPU_CAPABILITY {

#include "cpu/vectors.inl"
//
#include "cpu/strip.inl"
// which multiply
#include "cpu/attention.inl"
#include "cpu/decode_attention.inl"
#include "cpu/few_row_gemm.inl"
#include "cpu/logits.inl"
#include "cpu/pack.inl"
#include "cpu/rows.inl"
// which packs
#include "cpu/lane_gemm.inl"

template <typename T>
constexpr RowKernels<T> row_kernels() {
  return {norm_row<T>,   norm_row_backward<T>, swiglu_row<T>,     swiglu_row_backward<T>, rotate_head<T>,
          gemm_panel<T>, attend_block<T>,      logit_gradient<T>, store_across<T>};
}

extern const Kernels kKernels;
constinit const Kernels kKernels{row_kernels<float>(),
                                 row_kernels<c10::BFloat16>(),
                                 {pack_lanes, pack_across, pack_along, transpose_bfloat16},
                                 lane_gemm_panel,
                                 attend_tile,
                                 attend_tile_backward,
                                 scan_logits,
                                 logit_weights};

}  // namespace magic::CPU_CAPABILITY
