#include "policy/few_row_gemm.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

namespace magic {

namespace {

#define MAGIC_INLINE __attribute__((always_inline)) inline

// Rows of W that stay in the first-level cache while all rows of x pass, and how much of their length.
constexpr int64_t kWeightRows = 6;
constexpr int64_t kInner = 768;
constexpr int64_t kTileRows = 4, kTileColumns = 3;
// Results are gathered over so many rows of W, whole cache lines of y: its rows are far apart, and often a power of
// two.
constexpr int64_t kPanel = 8 * kWeightRows;

template <int kLanes>
using Floats __attribute__((vector_size(kLanes * sizeof(float)))) = float;
using Quad = Floats<4>;

template <int kLanes>
MAGIC_INLINE void load(Floats<kLanes>& out, const float* from) {
  std::memcpy(&out, from, sizeof(out));
}

// The sum of each of four vectors.
template <int kLanes>
MAGIC_INLINE void sums(Quad& out, const Floats<kLanes> (&v)[4]) {
  using Four = int32_t __attribute__((vector_size(16)));
  Quad q[4];
  for (int i = 0; i < 4; i++) {
    Quad parts[kLanes / 4];
    std::memcpy(parts, &v[i], sizeof(parts));
    q[i] = parts[0];
    for (int p = 1; p < kLanes / 4; p++) q[i] += parts[p];
  }
  const Quad ab = __builtin_shuffle(q[0], q[1], Four{0, 4, 1, 5}) + __builtin_shuffle(q[0], q[1], Four{2, 6, 3, 7});
  const Quad cd = __builtin_shuffle(q[2], q[3], Four{0, 4, 1, 5}) + __builtin_shuffle(q[2], q[3], Four{2, 6, 3, 7});
  out = __builtin_shuffle(ab, cd, Four{0, 1, 4, 5}) + __builtin_shuffle(ab, cd, Four{2, 3, 6, 7});
}

// y [kRows, kColumns] (+)= x [kRows, inner] w [kColumns, inner]^T; strides in elements.
template <int kLanes, int kRows, int kColumns>
MAGIC_INLINE void tile(const float* x, int64_t x_stride, const float* w, int64_t w_stride, float* y, int64_t y_stride,
                       int64_t inner, bool add) {
  Floats<kLanes> sum[kColumns][kTileRows] = {};
  const int64_t whole = inner / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    Floats<kLanes> weight[kColumns];
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; c++) load<kLanes>(weight[c], w + c * w_stride + i);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
      Floats<kLanes> row;
      load<kLanes>(row, x + r * x_stride + i);
#pragma GCC unroll 4
      for (int c = 0; c < kColumns; c++) sum[c][r] += row * weight[c];
    }
  }
#pragma GCC unroll 4
  for (int c = 0; c < kColumns; c++) {
    Quad total;
    sums<kLanes>(total, sum[c]);
    for (int r = 0; r < kRows; r++) {
      float rest = total[r];
      for (int64_t i = whole; i < inner; i++) rest += x[r * x_stride + i] * w[c * w_stride + i];
      float& out = y[r * y_stride + c];
      out = add ? out + rest : rest;
    }
  }
}

template <int kLanes, int kColumns>
MAGIC_INLINE void column_tiles(const float* x, int64_t rows, int64_t x_stride, const float* w, int64_t w_stride,
                               float* y, int64_t y_stride, int64_t inner, bool add) {
  if (rows >= 4) tile<kLanes, 4, kColumns>(x, x_stride, w, w_stride, y, y_stride, inner, add);
  if (rows == 3) tile<kLanes, 3, kColumns>(x, x_stride, w, w_stride, y, y_stride, inner, add);
  if (rows == 2) tile<kLanes, 2, kColumns>(x, x_stride, w, w_stride, y, y_stride, inner, add);
  if (rows == 1) tile<kLanes, 1, kColumns>(x, x_stride, w, w_stride, y, y_stride, inner, add);
}

// x [rows, in] and rows of W, their results in columns of y.
struct Work {
  const float* x;
  int64_t rows, in;
  const void* weight;
  float* y;
  int64_t out;
};

// bfloat16 as float32.
MAGIC_INLINE void widen(float* out, const uint16_t* from, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const uint32_t bits = static_cast<uint32_t>(from[i]) << 16;
    std::memcpy(&out[i], &bits, sizeof(bits));
  }
}

// A block of W: rows [row, row + rows), columns [k, k + inner).
struct Block {
  int64_t row, rows, k, inner;
};

// Part `part` of `parts` of a block, on its way to the cache.
template <typename Weight>
MAGIC_INLINE void prefetch(const Weight* weight, int64_t in, const Block& block, int64_t part, int64_t parts) {
  constexpr int64_t kLine = 64 / sizeof(Weight);
  const int64_t portion = (block.inner + parts * kLine - 1) / (parts * kLine) * kLine;
  const int64_t end = std::min(block.inner, (part + 1) * portion);
  for (int64_t c = 0; c < block.rows; c++) {
    const Weight* row = weight + (block.row + c) * in + block.k;
    for (int64_t i = part * portion; i < end; i += kLine) __builtin_prefetch(row + i, 0, 2);
  }
}

// Rows [begin, end) of W. Weight is float, or uint16_t for bfloat16.
template <int kLanes, typename Weight>
MAGIC_INLINE void weight_rows(const Work& work, int64_t begin, int64_t end) {
  constexpr bool kWiden = !std::is_same_v<Weight, float>;
  const Weight* weight = static_cast<const Weight*>(work.weight);
  alignas(64) float widened[kWiden ? kWeightRows * kInner : 1];
  std::vector<float> panel(work.rows * kPanel);
  const int64_t steps = (work.rows + kTileRows - 1) / kTileRows;
  for (int64_t panel_begin = begin; panel_begin < end; panel_begin += kPanel) {
    const int64_t panel_end = std::min(end, panel_begin + kPanel);
    for (int64_t first = panel_begin; first < panel_end; first += kWeightRows) {
      const int64_t count = std::min(kWeightRows, panel_end - first);
      for (int64_t k = 0; k < work.in; k += kInner) {
        const int64_t inner = std::min(kInner, work.in - k);
        const Weight* block = weight + first * work.in + k;
        const float* w = nullptr;
        if constexpr (kWiden) {
          for (int64_t c = 0; c < count; c++) widen(widened + c * kInner, block + c * work.in, inner);
          w = widened;
        } else {
          w = block;
        }
        const int64_t w_stride = kWiden ? kInner : work.in;
        Block next{first, count, k + inner, std::min(kInner, work.in - k - inner)};
        if (next.inner == 0) {
          const int64_t row = first + kWeightRows;
          next = {row, std::min(kWeightRows, end - row), 0, std::min(kInner, work.in)};
        }
        for (int64_t step = 0; step < steps; step++) {
          prefetch(weight, work.in, next, step, steps);
          const int64_t r = step * kTileRows, rows = std::min(kTileRows, work.rows - r);
          const float* x = work.x + r * work.in + k;
          float* y = panel.data() + r * kPanel + first - panel_begin;
          int64_t c = 0;
          for (; c + kTileColumns <= count; c += kTileColumns) {
            column_tiles<kLanes, kTileColumns>(x, rows, work.in, w + c * w_stride, w_stride, y + c, kPanel, inner,
                                               k > 0);
          }
          for (; c < count; c++) {
            column_tiles<kLanes, 1>(x, rows, work.in, w + c * w_stride, w_stride, y + c, kPanel, inner, k > 0);
          }
        }
      }
    }
    for (int64_t r = 0; r < work.rows; r++) {
      const float* from = panel.data() + r * kPanel;
      std::copy(from, from + panel_end - panel_begin, work.y + r * work.out + panel_begin);
    }
  }
}

template <int kLanes>
MAGIC_INLINE void any_weight_rows(const Work& work, bool bfloat16, int64_t begin, int64_t end) {
  if (bfloat16) {
    weight_rows<kLanes, uint16_t>(work, begin, end);
  } else {
    weight_rows<kLanes, float>(work, begin, end);
  }
}

using WeightRows = void (*)(const Work&, bool, int64_t, int64_t);

void baseline_rows(const Work& work, bool bfloat16, int64_t begin, int64_t end) {
  any_weight_rows<4>(work, bfloat16, begin, end);
}

#if defined(__x86_64__)
__attribute__((target("arch=x86-64-v3"))) void avx2_rows(const Work& work, bool bfloat16, int64_t begin, int64_t end) {
  any_weight_rows<8>(work, bfloat16, begin, end);
}

__attribute__((target("arch=x86-64-v4"))) void avx512_rows(const Work& work, bool bfloat16, int64_t begin,
                                                           int64_t end) {
  any_weight_rows<16>(work, bfloat16, begin, end);
}
#endif

WeightRows widest() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4")) return avx512_rows;
  if (__builtin_cpu_supports("x86-64-v3")) return avx2_rows;
#endif
  return baseline_rows;
}

}  // namespace

at::Tensor few_row_gemm(const at::Tensor& x, const at::Tensor& weight) {
  static const WeightRows weight_rows = widest();
  const int64_t rows = x.size(0), in = x.size(1), out = weight.size(0);
  const at::Tensor x32 = x.to(at::kFloat).contiguous();
  at::Tensor y = at::empty({rows, out}, x32.options());
  const Work work{x32.const_data_ptr<float>(), rows, in, weight.const_data_ptr(), y.mutable_data_ptr<float>(), out};
  const bool bfloat16 = weight.scalar_type() == at::kBFloat16;
  // A thread is worth starting for some ten microseconds of work.
  constexpr int64_t kShare = 16;
  const int64_t shares = (out + kShare - 1) / kShare;
  const int64_t grain = std::max<int64_t>(1, 100000 / (kShare * in * (4 + rows)));
  at::parallel_for(0, shares, grain, [&](int64_t begin, int64_t end) {
    weight_rows(work, bfloat16, begin * kShare, std::min(out, end * kShare));
  });
  return y;
}

}  // namespace magic
