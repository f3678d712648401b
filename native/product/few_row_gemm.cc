#include "product/few_row_gemm.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

#include "cpu/kernels.h"
#include "product/panels.h"

namespace magic {

at::Tensor few_row_gemm(const at::Tensor& x, const at::Tensor& weight) {
  const int64_t rows = x.size(0), in = x.size(1), out = weight.size(0);
  const at::Tensor x32 = x.to(at::kFloat).contiguous();
  at::Tensor y = at::empty({rows, out}, x32.options());
  const int64_t slices = (in + kGemmInner - 1) / kGemmInner, slice = ((in + slices - 1) / slices + 15) / 16 * 16;
  GemmRows work{x32.const_data_ptr<float>(), in,     slice, rows, in, slice, weight.const_data_ptr(), out,
                y.mutable_data_ptr<float>(), nullptr};
  at::Tensor sliced;
  if (slices > 1) {
    // Rows of x that are far apart, often by a power of two, would push each other out of the cache.
    work.x_stride = slice + 16;
    work.x_slice = rows * work.x_stride;
    sliced = at::empty({slices * work.x_slice}, x32.options());
    float* to = sliced.mutable_data_ptr<float>();
    for (int64_t at = 0; at < in; at += slice) {
      for (int64_t r = 0; r < rows; r++) {
        const float* from = work.x + r * in + at;
        std::copy(from, from + std::min(slice, in - at), to + at / slice * work.x_slice + r * work.x_stride);
      }
    }
    work.x = to;
  }
  const auto gemm_panel =
      weight.scalar_type() == at::kBFloat16 ? kernels().bfloat16.gemm_panel : kernels().float32.gemm_panel;
  for_weight_panels(kGemmPanel, rows, in, out, [&](int64_t begin, int64_t end, int64_t next) {
    std::vector<float> room((rows + 1) * kGemmPanelRoom);
    GemmRows own = work;
    own.panel = room.data();
    gemm_panel(own, begin, end, next);
  });
  return y;
}

}  // namespace magic
