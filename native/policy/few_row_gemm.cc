#include "policy/few_row_gemm.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "cpu/kernels.h"

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
  // Panels go to whichever thread is free, so that one that is held up holds nobody up; each knows its next one, to
  // fetch it ahead.
  int64_t panel = kGemmPanel;
  while (panel % 2 == 0 && out < 4 * panel * at::get_num_threads()) panel /= 2;
  const int64_t panels = (out + panel - 1) / panel;
  // A thread is worth waking for some ten microseconds of work.
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), 1 + out * in * (4 + rows) / 200000);
  std::atomic<int64_t> free{0};
  at::parallel_for(0, threads, 1, [&](int64_t, int64_t) {
    std::vector<float> room((rows + 1) * kGemmPanelRoom);
    GemmRows own = work;
    own.panel = room.data();
    int64_t i = free++;
    while (i < panels) {
      const int64_t next = free++;
      gemm_panel(own, i * panel, std::min(out, (i + 1) * panel), std::min(out, next * panel));
      i = next;
    }
  });
  return y;
}

}  // namespace magic
