// The kernels for one instruction set; see kernels.cc.

#include "cpu/lanes.inl"
//
#include "cpu/attention.inl"
#include "cpu/few_row_gemm.inl"
#include "cpu/logits.inl"
#include "cpu/rows.inl"
//
#include "cpu/decode_attention.inl"

template <typename T>
constexpr RowKernels<T> row_kernels() {
  return {norm_row<T>,    norm_row_backward<T>, swiglu_row<T>,  swiglu_row_backward<T>,
          rotate_head<T>, gemm_panel<T>,        attend_block<T>};
}

const Kernels kKernels{
    row_kernels<float>(), row_kernels<c10::BFloat16>(), attend_tile, attend_tile_backward, scan_logits, logit_weights,
    logit_gradient};
