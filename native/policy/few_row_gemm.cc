#include "policy/few_row_gemm.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <type_traits>
#include <vector>

namespace magic {

namespace {

#define MAGIC_INLINE __attribute__((always_inline)) inline

// Rows of W that stay in the first-level cache while all rows of x pass, and how much of their length.
constexpr int64_t kWeightRows = 6;
constexpr int64_t kInner = 640;
constexpr int64_t kTileRows = 4, kTileColumns = 3;
// Results are gathered over so many rows of W, whole cache lines of y: its rows are far apart, and often a power of
// two.
constexpr int64_t kPanel = 8 * kWeightRows, kPanelStride = kPanel + 4;

template <int kLanes>
using Floats __attribute__((vector_size(kLanes * sizeof(float)))) = float;
using Quad = Floats<4>;

// The first `count` values, zeros after them.
template <int kLanes>
MAGIC_INLINE void load(Floats<kLanes>& out, const float* from, int64_t count = kLanes) {
  if (count < kLanes) out = Floats<kLanes>{};
  std::memcpy(&out, from, count < kLanes ? count * sizeof(float) : sizeof(out));
}

// The halves of a vector added, down to four lanes.
template <int kLanes>
MAGIC_INLINE void fold(Quad& out, const Floats<kLanes>& v) {
  if constexpr (kLanes == 4) {
    out = v;
  } else {
    Floats<kLanes / 2> halves[2];
    std::memcpy(halves, &v, sizeof(halves));
    fold<kLanes / 2>(out, halves[0] + halves[1]);
  }
}

// The sums of the lanes of four vectors.
MAGIC_INLINE void sums(Quad& out, const Quad& a, const Quad& b, const Quad& c, const Quad& d) {
  using Four = int32_t __attribute__((vector_size(16)));
  const Quad ab = __builtin_shuffle(a, b, Four{0, 4, 1, 5}) + __builtin_shuffle(a, b, Four{2, 6, 3, 7});
  const Quad cd = __builtin_shuffle(c, d, Four{0, 4, 1, 5}) + __builtin_shuffle(c, d, Four{2, 6, 3, 7});
  out = __builtin_shuffle(ab, cd, Four{0, 1, 4, 5}) + __builtin_shuffle(ab, cd, Four{2, 3, 6, 7});
}

template <int kLanes, int kRows, int kColumns>
MAGIC_INLINE void multiply_add(Floats<kLanes> (&sum)[kRows][kColumns], const float* x, int64_t x_stride, const float* w,
                               int64_t w_stride, int64_t count = kLanes) {
  Floats<kLanes> weight[kColumns];
#pragma GCC unroll 4
  for (int c = 0; c < kColumns; c++) load<kLanes>(weight[c], w + c * w_stride, count);
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r++) {
    Floats<kLanes> row;
    load<kLanes>(row, x + r * x_stride, count);
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; c++) sum[r][c] += row * weight[c];
  }
}

// y [kRows, kColumns] (+)= x [kRows, inner] w [kColumns, inner]^T; strides in elements. Four columns of y are written:
// what comes after the tile's gets nothing added, or zeros that the next tile writes over.
template <int kLanes, int kRows, int kColumns>
MAGIC_INLINE void tile(const float* x, int64_t x_stride, const float* w, int64_t w_stride, float* y, int64_t y_stride,
                       int64_t inner, bool add) {
  Floats<kLanes> sum[kRows][kColumns];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; c++) sum[r][c] = Floats<kLanes>{};
  }
  const int64_t whole = inner / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    multiply_add<kLanes, kRows, kColumns>(sum, x + i, x_stride, w + i, w_stride);
  }
  if (whole < inner) {
    multiply_add<kLanes, kRows, kColumns>(sum, x + whole, x_stride, w + whole, w_stride, inner - whole);
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r++) {
    Quad parts[4] = {}, total;
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; c++) fold<kLanes>(parts[c], sum[r][c]);
    sums(total, parts[0], parts[1], parts[2], parts[3]);
    Quad before{};
    if (add) std::memcpy(&before, y + r * y_stride, sizeof(before));
    total += before;
    std::memcpy(y + r * y_stride, &total, sizeof(total));
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

// x [rows, in] and rows of W, their results in columns of y. The inner axis is worked off in slices; slice i of x
// starts at x + i x_slice, its rows x_stride apart.
struct Work {
  const float* x;
  int64_t x_stride, x_slice;
  int64_t rows, in, slice;
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
  std::vector<float> panel(work.rows * kPanelStride);
  const int64_t steps = (work.rows + kTileRows - 1) / kTileRows;
  const int64_t slice = work.slice;
  for (int64_t panel_begin = begin; panel_begin < end; panel_begin += kPanel) {
    const int64_t panel_end = std::min(end, panel_begin + kPanel);
    for (int64_t first = panel_begin; first < panel_end; first += kWeightRows) {
      const int64_t count = std::min(kWeightRows, panel_end - first);
      for (int64_t k = 0; k < work.in; k += slice) {
        const int64_t inner = std::min(slice, work.in - k);
        const Weight* block = weight + first * work.in + k;
        const float* w = nullptr;
        if constexpr (kWiden) {
          for (int64_t c = 0; c < count; c++) widen(widened + c * kInner, block + c * work.in, inner);
          w = widened;
        } else {
          w = block;
        }
        const int64_t w_stride = kWiden ? kInner : work.in;
        Block next{first, count, k + inner, std::min(slice, work.in - k - inner)};
        if (next.inner == 0) {
          const int64_t row = first + kWeightRows;
          next = {row, std::min(kWeightRows, end - row), 0, std::min(slice, work.in)};
        }
        for (int64_t step = 0; step < steps; step++) {
          prefetch(weight, work.in, next, step, steps);
          const int64_t r = step * kTileRows, rows = std::min(kTileRows, work.rows - r);
          const float* x = work.x + k / slice * work.x_slice + r * work.x_stride;
          float* y = panel.data() + r * kPanelStride + first - panel_begin;
          int64_t c = 0;
          for (; c + kTileColumns <= count; c += kTileColumns) {
            column_tiles<kLanes, kTileColumns>(x, rows, work.x_stride, w + c * w_stride, w_stride, y + c, kPanelStride,
                                               inner, k > 0);
          }
          for (; c < count; c++) {
            column_tiles<kLanes, 1>(x, rows, work.x_stride, w + c * w_stride, w_stride, y + c, kPanelStride, inner,
                                    k > 0);
          }
        }
      }
    }
    for (int64_t r = 0; r < work.rows; r++) {
      const float* from = panel.data() + r * kPanelStride;
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
  const int64_t slices = (in + kInner - 1) / kInner, slice = ((in + slices - 1) / slices + 15) / 16 * 16;
  Work work{x32.const_data_ptr<float>(), in, slice, rows, in, slice, weight.const_data_ptr(),
            y.mutable_data_ptr<float>(), out};
  std::vector<float> sliced;
  if (slices > 1) {
    // Rows of x that are far apart, often by a power of two, would push each other out of the cache.
    work.x_stride = slice + 24;
    work.x_slice = rows * work.x_stride;
    sliced.resize(slices * work.x_slice);
    for (int64_t at = 0; at < in; at += slice) {
      for (int64_t r = 0; r < rows; r++) {
        const float* from = work.x + r * in + at;
        std::copy(from, from + std::min(slice, in - at), sliced.data() + at / slice * work.x_slice + r * work.x_stride);
      }
    }
    work.x = sliced.data();
  }
  const bool bfloat16 = weight.scalar_type() == at::kBFloat16;
  // Panels go to whichever thread is free, so that one that is held up holds nobody up.
  const int64_t panel = std::clamp<int64_t>(out / (8 * at::get_num_threads()) / 16 * 16, 16, kPanel);
  const int64_t panels = (out + panel - 1) / panel;
  // A thread is worth waking for some ten microseconds of work.
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), 1 + out * in * (4 + rows) / 200000);
  std::atomic<int64_t> next{0};
  at::parallel_for(0, threads, 1, [&](int64_t, int64_t) {
    for (int64_t i = next++; i < panels; i = next++) {
      weight_rows(work, bfloat16, i * panel, std::min(out, (i + 1) * panel));
    }
  });
  return y;
}

}  // namespace magic
