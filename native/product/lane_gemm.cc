#include "product/lane_gemm.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "cpu/kernels.h"
#include "product/panels.h"

namespace magic {

namespace {

// The rows of x in panels, as the kernel reads them.
at::Tensor packed_rows(const at::Tensor& x) {
  constexpr int64_t kGrainBytes = 1 << 16;  // what is worth a thread
  const int64_t rows = x.size(0), in = x.size(1), panels = (rows + kLaneColumns - 1) / kLaneColumns;
  const at::Tensor packed = at::empty({panels * kLaneColumns * in}, x.options());
  const float* from = x.const_data_ptr<float>();
  float* to = packed.mutable_data_ptr<float>();
  const int64_t grain = kGrainBytes / (kLaneColumns * in * static_cast<int64_t>(sizeof(float))) + 1;
  at::parallel_for(0, panels, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * kLaneColumns; row < std::min(rows, end * kLaneColumns); row += kLaneColumns) {
      kernels().pack.lanes(from + row * in, std::min(kLaneColumns, rows - row), in, to + row * in);
    }
  });
  return packed;
}

}  // namespace

bool suits_lane_gemm(int64_t rows) {
  // Measured on two Sapphire Rapids cores: from 13 rows on faster than few_row_gemm, up to 128 than the library's.
  return rows > 12 && rows <= 128 && has_wide_vectors();
}

at::Tensor lane_gemm(const at::Tensor& x, const at::Tensor& weight) {
  const int64_t rows = x.size(0), in = x.size(1), out = weight.size(0);
  const at::Tensor packed = packed_rows(x);
  at::Tensor y = at::empty({rows, out}, x.options());
  const LaneRows work{packed.const_data_ptr<float>(), rows, in,
                      weight.const_data_ptr<float>(), out,  y.mutable_data_ptr<float>()};
  for_weight_panels(kLanePanel, rows, in, out, [&](int64_t begin, int64_t end, int64_t next) {
    kernels().lane_gemm_panel(work, begin, end, next);
  });
  return y;
}

}  // namespace magic
