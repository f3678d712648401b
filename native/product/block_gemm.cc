#include "product/block_gemm.h"

#include <ATen/Parallel.h>
#include <ATen/ceil_div.h>
#include <ATen/native/CPUBlas.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <exception>

#include "cpu/kernels.h"
#include "runtime/memory.h"
#include "runtime/share_tasks.h"

namespace magic {

namespace {

using at::native::cpublas::brgemm;
using at::native::cpublas::brgemm_release;
using c10::BFloat16;

// The inner axis is multiplied in slices, so that the blocks stay in the second-level cache, and comes in whole steps
// of the instructions.
constexpr int64_t kSlice = kPackedRows, kStep = 32;
// A panel's columns come in whole vectors: few widths, as a kernel is compiled for each.
constexpr int64_t kWidth = 16;

// Rows of each block, at most kProductRows: eight blocks for every thread, as threads are held up by what else the
// machine does, but no fewer rows than are worth a panel.
int64_t rows_of_block(int64_t rows) {
  constexpr int64_t kBlocks = 8, kLeast = 48;
  return std::clamp(at::round_up(at::ceil_div(rows, kBlocks * at::get_num_threads()), kWidth), kLeast, kProductRows);
}

bool takes_rows(const at::Tensor& t) {
  return t.is_cpu() && t.scalar_type() == at::kBFloat16 && t.dim() == 2 && t.stride(1) == 1 && t.stride(0) >= t.size(1);
}

// The kernels configure the processor's tiles for a thread, and take for granted that they are as they left them.
// Whoever multiplies next may not leave them so.
struct ReleasesTiles {
  ~ReleasesTiles() { brgemm_release(); }
};

void multiply_block(int64_t m, int64_t n, int64_t k, const BFloat16* a, int64_t a_row, const BFloat16* b, bool add,
                    float* c, int64_t c_row) {
  brgemm(m, n, k, a_row, n, c_row, add, a, b, c, /*is_vnni=*/true);
}

// Whether this libtorch has these kernels and they know the processor.
bool has_kernels() {
  static const bool has = [] {
    if (!has_wide_vectors()) return false;
    const BFloat16 zeros[kStep * kWidth] = {};
    float sums[kWidth * kWidth];
    try {
      const ReleasesTiles releases;
      multiply_block(kWidth, kWidth, kStep, zeros, kStep, zeros, false, sums, kWidth);
    } catch (const std::exception& error) {
      if (is_out_of_memory(error)) throw;  // another time it may be there
      return false;
    }
    return true;
  }();
  return has;
}

template <typename Body>
void share_blocks(int64_t count, const Body& body) {
  share_tasks(count, [&](const auto& next) {
    const ReleasesTiles releases;
    for (int64_t i = next(); i < count; i = next()) body(i);
  });
}

// A block's sums, in the cache.
struct alignas(64) Block {
  float sums[kProductRows * kProductPanel];
};

template <typename Y>
void multiply(const at::Tensor& x, const at::Tensor& w, at::Tensor& out) {
  const int64_t m = x.size(0), n = w.size(0), k = x.size(1), w_row = w.stride(0);
  const auto *left = x.const_data_ptr<BFloat16>(), *weight = w.const_data_ptr<BFloat16>();
  Y* y = out.mutable_data_ptr<Y>();
  // Rows of w are taken as they lie: where rows of x are few, they are nearly all there is to read. Those of x are
  // packed.
  const int64_t panels = at::ceil_div(m, kProductPanel);
  const at::Tensor room = at::empty({panels * kProductPanel * k}, x.options());
  auto* packed = room.mutable_data_ptr<BFloat16>();
  const auto width_of = [m](int64_t panel) {
    return at::round_up(std::min(kProductPanel, m - panel * kProductPanel), kWidth);
  };
  const auto pack = [&](int64_t panel) {
    const int64_t first = panel * kProductPanel, columns = std::min(kProductPanel, m - first), width = width_of(panel);
    BFloat16* to = packed + first * k;
    if (width > columns) std::memset(static_cast<void*>(to), 0, width * k * sizeof(BFloat16));
    kernels().pack.across(reinterpret_cast<const float*>(left + first * x.stride(0)), x.stride(0) / 2, columns, k / 2,
                          reinterpret_cast<float*>(to), width);
  };
  at::parallel_for(0, panels, at::ceil_div<int64_t>(1 << 16, kProductPanel * k), [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; panel++) pack(panel);
  });
  const auto store = kernels().rows<Y>().store_across;
  const int64_t most_rows = rows_of_block(n);
  share_blocks(at::ceil_div(n, most_rows), [&](int64_t block) {
    Block product;
    const int64_t row = block * most_rows, rows = std::min(most_rows, n - row);
    for (int64_t panel = 0; panel < panels; panel++) {
      const int64_t first = panel * kProductPanel, width = width_of(panel);
      for (int64_t at = 0; at < k; at += kSlice) {
        multiply_block(rows, width, std::min(kSlice, k - at), weight + row * w_row + at, w_row,
                       packed + first * k + at * width, at > 0, product.sums, width);
      }
      store(product.sums, width, rows, std::min(kProductPanel, m - first), y + first * n + row, n);
    }
  });
}

// One slice of the inner axis: k rows of a and b.
void add_slice(float* sum, int64_t sum_stride, const BFloat16* a, int64_t a_stride, int64_t m, const BFloat16* b,
               int64_t b_stride, int64_t n, int64_t k) {
  const int64_t inner = at::round_up(k, kStep), panels = at::ceil_div(n, kProductPanel);
  const at::Tensor packed = at::empty({inner * n}, at::kBFloat16);
  auto* pairs = packed.mutable_data_ptr<BFloat16>();
  const auto width_of = [n](int64_t panel) { return std::min(kProductPanel, n - panel * kProductPanel); };
  at::parallel_for(0, panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; panel++) {
      const int64_t first = panel * kProductPanel, width = width_of(panel), there = at::round_up<int64_t>(k, 2);
      BFloat16* to = pairs + first * inner;
      kernels().pack.along(b + first, b_stride, k, width, to);
      std::memset(static_cast<void*>(to + there * width), 0, (inner - there) * width * sizeof(BFloat16));
    }
  });
  const at::Tensor transposes = at::empty({at::get_num_threads(), kProductRows * inner}, at::kBFloat16);
  const int64_t most_rows = rows_of_block(m);
  share_blocks(at::ceil_div(m, most_rows), [&](int64_t block) {
    auto* across = transposes.mutable_data_ptr<BFloat16>() + at::get_thread_num() * kProductRows * inner;
    const int64_t row = block * most_rows, rows = std::min(most_rows, m - row);
    kernels().pack.transpose(a + row, a_stride, k, rows, across, inner);
    for (int64_t r = 0; r < rows && inner > k; r++) {
      std::memset(static_cast<void*>(across + r * inner + k), 0, (inner - k) * sizeof(BFloat16));
    }
    for (int64_t panel = 0; panel < panels; panel++) {
      const int64_t first = panel * kProductPanel, width = width_of(panel);
      multiply_block(rows, width, inner, across, inner, pairs + first * inner, true, sum + row * sum_stride + first,
                     sum_stride);
    }
  });
}

}  // namespace

bool has_block_gemm() { return has_kernels(); }

at::Tensor block_gemm(const at::Tensor& x, const at::Tensor& w, at::ScalarType type) {
  const bool takes = takes_rows(x) && takes_rows(w) && x.numel() > 0 && x.size(1) % 2 == 0 && x.stride(0) % 2 == 0;
  if (!takes || !has_kernels()) return {};
  try {
    at::Tensor y = at::empty({x.size(0), w.size(0)}, x.options().dtype(type));
    (type == at::kFloat ? multiply<float> : multiply<BFloat16>)(x, w, y);
    return y;
  } catch (const std::exception& error) {
    // Where a kernel cannot be compiled for want of memory, others may be there.
    if (!is_out_of_memory(error)) throw;
    return {};
  }
}

bool adds_block_gemm(const at::Tensor& a, const at::Tensor& b) {
  return takes_rows(a) && takes_rows(b) && has_kernels();
}

void add_block_gemm(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b) {
  for (int64_t at = 0; at < a.size(0); at += kSlice) {
    add_slice(sum.mutable_data_ptr<float>(), sum.stride(0), a.const_data_ptr<BFloat16>() + at * a.stride(0),
              a.stride(0), a.size(1), b.const_data_ptr<BFloat16>() + at * b.stride(0), b.stride(0), b.size(1),
              std::min(kSlice, a.size(0) - at));
  }
}

}  // namespace magic
