// y = x W^T for few rows of x, W read once as it lies. Vectors run along the inner axis, where both operands are
// contiguous. A row's result does not depend on the other rows.

// Rows of W that stay in the first-level cache while all rows of x pass, and how much of their length.
constexpr int64_t kWeightRows = 6;
constexpr int64_t kTileRows = 4, kTileColumns = 3;
// With more rows of x, bfloat16 is widened in memory once rather than in registers by each tile.
constexpr int64_t kWidenedRows = 16;
// Results are gathered over so many rows of W: the rows of y are far apart, and often by a power of two.
constexpr int64_t kPanelStride = kGemmPanelRoom;
static_assert(kGemmPanel % kWeightRows == 0);
// Vectors of the inner axis between two lines that are fetched ahead.
constexpr int64_t kGroup = 32 / kLanes;

// What a tile fetches of the block of W that comes next, a line of some rows in each group of its vectors: a burst
// would hold up the loads of the work at hand.
struct Ahead {
  const char* line;
  int64_t rows, stride;  // in bytes
};

template <int kRows, int kColumns, typename W>
MAGIC_INLINE void multiply_add(Floats (&sum)[kRows][kColumns], const float* x, int64_t x_stride, const W* w,
                               int64_t w_stride, int64_t count) {
  Floats weight[kColumns];
#pragma GCC unroll 4
  for (int c = 0; c < kColumns; c++) weight[c] = load(w + c * w_stride, count);
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r++) {
    const Floats row = load(x + r * x_stride, count);
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; c++) sum[r][c] = at::vec::fmadd(row, weight[c], sum[r][c]);
  }
}

// y [kRows, kColumns] (+)= x [kRows, inner] w [kColumns, inner]^T; strides in elements.
template <int kRows, int kColumns, typename W>
MAGIC_INLINE void dot_tile(const float* x, int64_t x_stride, const W* w, int64_t w_stride, float* y, int64_t inner,
                           bool add, const Ahead& ahead) {
  Floats sum[kRows][kColumns];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; c++) sum[r][c] = Floats(0.0f);
  }
  int64_t i = 0;
  const char* line = ahead.line;
  for (; i + kGroup * kLanes <= inner; i += kGroup * kLanes, line += 64) {
    for (int64_t row = 0; row < ahead.rows; row++) __builtin_prefetch(line + row * ahead.stride, 0, 2);
      // Twice, no more: gcc would then read rows of W again for each row of x.
#pragma GCC unroll 2
    for (int64_t j = i; j < i + kGroup * kLanes; j += kLanes) {
      multiply_add<kRows, kColumns>(sum, x + j, x_stride, w + j, w_stride, kLanes);
    }
  }
  for (; i < inner; i += kLanes) multiply_add<kRows, kColumns>(sum, x + i, x_stride, w + i, w_stride, inner - i);
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; c++) {
      float* to = y + r * kPanelStride + c;
      *to = (add ? *to : 0.0f) + sum_of(sum[r][c]);
    }
  }
}

template <int kColumns, typename W>
MAGIC_INLINE void dot_tiles(const float* x, int64_t rows, int64_t x_stride, const W* w, int64_t w_stride, float* y,
                            int64_t inner, bool add, const Ahead& ahead) {
  if (rows >= 4) dot_tile<4, kColumns>(x, x_stride, w, w_stride, y, inner, add, ahead);
  if (rows == 3) dot_tile<3, kColumns>(x, x_stride, w, w_stride, y, inner, add, ahead);
  if (rows == 2) dot_tile<2, kColumns>(x, x_stride, w, w_stride, y, inner, add, ahead);
  if (rows == 1) dot_tile<1, kColumns>(x, x_stride, w, w_stride, y, inner, add, ahead);
}

// A block of W with what is fetched ahead meanwhile: `upcoming` is where the next block begins, null where there is
// none.
template <typename W>
MAGIC_INLINE void gemm_block(const GemmRows& work, const float* x, const W* w, int64_t w_stride, int64_t count,
                             int64_t inner, float* y, bool add, const char* upcoming, int64_t stride, int64_t parts) {
  const int64_t steps = (work.rows + kTileRows - 1) / kTileRows;
  // A tile passes 64 bytes in a group: a row of W in so many parts, all rows' first part before the second.
  const int64_t some = (kWeightRows * parts + 2 * steps - 1) / (2 * steps), rows = some > 3 ? kWeightRows : some;
  int64_t fetched = upcoming ? 0 : kWeightRows * parts;
  for (int64_t r = 0; r < work.rows; r += kTileRows) {
    const int64_t tile_rows = std::min(kTileRows, work.rows - r);
    int64_t c = 0;
    for (; c + kTileColumns <= count; c += kTileColumns) {
      Ahead ahead{};
      if (fetched < kWeightRows * parts) {
        ahead = {upcoming + fetched / kWeightRows * (inner / 32 * 64) + fetched % kWeightRows * stride, rows, stride};
        fetched += rows;
      }
      dot_tiles<kTileColumns>(x + r * work.x_stride, tile_rows, work.x_stride, w + c * w_stride, w_stride,
                              y + r * kPanelStride + c, inner, add, ahead);
    }
    for (; c < count; c++) {
      dot_tiles<1>(x + r * work.x_stride, tile_rows, work.x_stride, w + c * w_stride, w_stride,
                   y + r * kPanelStride + c, inner, add, {});
    }
  }
}

MAGIC_INLINE void widen(float* to, const c10::BFloat16* from, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) load(from + i).store(to + i);
  if (i < count) load(from + i, count - i).store(to + i, count - i);
}

template <typename T>
void gemm_panel(const GemmRows& work, int64_t begin, int64_t end, int64_t next) {
  constexpr int64_t kParts = sizeof(T) / 2;
  const T* weight = static_cast<const T*>(work.weight);
  const int64_t slice = work.slice, stride = work.in * int64_t{sizeof(T)};
  for (int64_t first = begin; first < end; first += kWeightRows) {
    const int64_t count = std::min(kWeightRows, end - first);
    for (int64_t k = 0; k < work.in; k += slice) {
      const int64_t inner = std::min(slice, work.in - k);
      const bool last = k + inner == work.in;
      const int64_t row = !last ? first : (first + kWeightRows < end ? first + kWeightRows : next);
      const char* upcoming =
          row < work.out ? reinterpret_cast<const char*>(weight + row * work.in + (last ? 0 : k + inner)) : nullptr;
      const T* w = weight + first * work.in + k;
      const float* x = work.x + k / slice * work.x_slice;
      float* y = work.panel + first - begin;
      if constexpr (!std::is_same_v<T, float>) {
        if (work.rows > kWidenedRows) {
          alignas(64) float widened[kWeightRows * kGemmInner];
          for (int64_t c = 0; c < count; c++) widen(widened + c * kGemmInner, w + c * work.in, inner);
          gemm_block(work, x, widened, kGemmInner, count, inner, y, k > 0, upcoming, stride, kParts);
          continue;
        }
      }
      gemm_block(work, x, w, work.in, count, inner, y, k > 0, upcoming, stride, kParts);
    }
  }
  for (int64_t r = 0; r < work.rows; r++) {
    std::memcpy(work.y + r * work.out + begin, work.panel + r * kPanelStride, (end - begin) * sizeof(float));
  }
}
