// y = x W^T with the rows of x across the lanes: a value of W, for all lanes, times a vector of values of as many rows
// of x. W is read once, as it lies. A row's result does not depend on the other rows.

// Rows of W and vectors of rows of x whose sums stay in registers, of which there are 32 or 16.
constexpr int64_t kLaneRows = kLanes == 16 ? 12 : 6;
static_assert(kLanePanel % kLaneRows == 0 && kLaneColumns % (2 * kLanes) == 0);
// So much of the inner axis at a time: the rows of x that are multiplied stay in the cache.
constexpr int64_t kLaneInner = 640;
// Steps on the inner axis between fetches of W ahead, and the lines that keep pace with them: a burst would hold up the
// loads of the work at hand.
constexpr int64_t kLaneGroup = 8, kLaneLines = kLaneRows * kLaneGroup * int64_t{sizeof(float)} / 64;

// What comes after the rows of W at hand and is not fetched yet.
struct Upcoming {
  const char *line, *end;
};

// sums [kRows, kVectors kLanes] (+)= w [kRows, inner] x [inner, kVectors kLanes]
template <int kRows, int kVectors>
MAGIC_INLINE void multiply_lanes(const float* x, const float* w, int64_t stride, int64_t inner, bool add, float* sums,
                                 Upcoming& upcoming) {
  constexpr int64_t kWidth = kVectors * kLanes;
  Floats sum[kRows][kVectors];
#pragma GCC unroll 12
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; v++) sum[r][v] = add ? load(sums + r * kWidth + v * kLanes) : Floats(0.0f);
  }
  // A pointer for three rows, which one instruction reaches by the stride: one for each would not fit the registers.
  constexpr int kPointers = (kRows + 2) / 3;
  const float* rows[kPointers];
#pragma GCC unroll 4
  for (int p = 0; p < kPointers; p++) rows[p] = w + 3 * p * stride;
  const auto step = [&]() __attribute__((always_inline)) {
    Floats columns[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; v++) columns[v] = load(x + v * kLanes);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; r++) {
      const Floats value(rows[r / 3][r % 3 * stride]);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; v++) sum[r][v] = at::vec::fmadd(value, columns[v], sum[r][v]);
    }
    x += kWidth;
#pragma GCC unroll 4
    for (int p = 0; p < kPointers; p++) {
      rows[p]++;
      asm("" : "+r"(rows[p]));  // gcc would keep each row's own address after all
    }
  };
  int64_t i = 0;
  for (; i + kLaneGroup <= inner; i += kLaneGroup) {
    if (upcoming.line < upcoming.end) {
#pragma GCC unroll 6
      for (int64_t line = 0; line < kLaneLines; line++) __builtin_prefetch(upcoming.line + line * 64, 0, 2);
      upcoming.line += kLaneLines * 64;
    }
#pragma GCC unroll 2
    for (int64_t j = 0; j < kLaneGroup; j++) step();
  }
  for (; i < inner; i++) step();
#pragma GCC unroll 12
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; v++) sum[r][v].store(sums + r * kWidth + v * kLanes);
  }
}

template <int kVectors>
void multiply_lane_rows(int64_t rows, const float* x, const float* w, int64_t stride, int64_t inner, bool add,
                        float* sums, Upcoming& upcoming) {
  int64_t r = 0;
  const auto tiles = [&]<int kRows>() {
    for (; r + kRows <= rows; r += kRows) {
      multiply_lanes<kRows, kVectors>(x, w + r * stride, stride, inner, add, sums + r * kVectors * kLanes, upcoming);
    }
  };
  tiles.template operator()<kLaneRows>();
  tiles.template operator()<kLaneRows / 2>();
  tiles.template operator()<1>();
}

void lane_gemm_panel(const LaneRows& work, int64_t begin, int64_t end, int64_t next) {
  alignas(64) float sums[kLanePanel * 2 * kLanes];
  const int64_t next_end = std::min(work.out, next + end - begin), slices = (work.in + kLaneInner - 1) / kLaneInner;
  Upcoming upcoming{reinterpret_cast<const char*>(work.weight + next * work.in),
                    reinterpret_cast<const char*>(work.weight + next_end * work.in)};
  for (int64_t first = 0; first < work.rows; first += 2 * kLanes) {
    const int64_t columns = std::min<int64_t>(2 * kLanes, work.rows - first);
    const int64_t width = columns > kLanes ? 2 * kLanes : kLanes;
    const auto multiply = columns > kLanes ? multiply_lane_rows<2> : multiply_lane_rows<1>;
    for (int64_t slice = 0; slice < slices; slice++) {
      const int64_t at = work.in * slice / slices, inner = work.in * (slice + 1) / slices - at;
      multiply(end - begin, work.x + first * work.in + at * width, work.weight + begin * work.in + at, work.in, inner,
               at > 0, sums, upcoming);
    }
    store_across(sums, width, end - begin, columns, work.y + first * work.out + begin, work.out);
  }
}

// x [columns, in] to panels [in, width], width: two vectors, but one vector for the last rows where they fit it.
void pack_lanes(const float* x, int64_t columns, int64_t in, float* panels) {
  for (int64_t first = 0; first < columns; first += 2 * kLanes) {
    const int64_t count = std::min<int64_t>(2 * kLanes, columns - first), width = count > kLanes ? 2 * kLanes : kLanes;
    float* to = panels + first * in;
    if (count < width) std::fill_n(to, width * in, 0.0f);
    pack_across(x + first * in, in, count, in, to, width);
  }
}
