// y = x W^T with the rows of x across the lanes: a value of W, for all lanes, times a vector of values of as many rows
// of x. W is read once, as it lies. A row's result does not depend on the other rows.

static_assert(kLanePanel % kStripRows == 0 && kLaneColumns % (2 * kLanes) == 0);
// So much of the inner axis at a time: the rows of x that are multiplied stay in the cache.
constexpr int64_t kLaneInner = 640;

// What comes after the rows of W at hand is fetched meanwhile, evenly: a burst would hold up the loads of the work at
// hand.
struct Upcoming {
  const char *line, *end;

  // As much as the tallest strip reads meanwhile.
  MAGIC_INLINE void fetch() {
    constexpr int64_t kLines = kStripRows * kStripSteps * int64_t{sizeof(float)} / 64;
    if (line >= end) return;
#pragma GCC unroll 6
    for (int64_t i = 0; i < kLines; i++) __builtin_prefetch(line + i * 64, 0, 2);
    line += kLines * 64;
  }
};

// sums [rows, V vectors] (+)= w [rows, inner] x [inner, V vectors]
template <int V>
void multiply_lanes(int64_t rows, const float* x, const float* w, int64_t stride, int64_t inner, bool add, float* sums,
                    Upcoming& upcoming) {
  constexpr int64_t kWidth = V * kLanes;
  for_strips(
      rows, [&]<int R>(int64_t row) __attribute__((always_inline)) {
        strip_product<R, V, Left::kRows>(
            w + row * stride, stride, x, kWidth, sums + row * kWidth, kWidth, inner,
            add, [&]() __attribute__((always_inline)) { upcoming.fetch(); });
      });
}

void lane_gemm_panel(const LaneRows& work, int64_t begin, int64_t end, int64_t next) {
  alignas(64) float sums[kLanePanel * 2 * kLanes];
  const int64_t next_end = std::min(work.out, next + end - begin), slices = (work.in + kLaneInner - 1) / kLaneInner;
  Upcoming upcoming{reinterpret_cast<const char*>(work.weight + next * work.in),
                    reinterpret_cast<const char*>(work.weight + next_end * work.in)};
  for (int64_t first = 0; first < work.rows; first += 2 * kLanes) {
    const int64_t columns = std::min<int64_t>(2 * kLanes, work.rows - first);
    const int64_t width = columns > kLanes ? 2 * kLanes : kLanes;
    const auto multiply = columns > kLanes ? multiply_lanes<2> : multiply_lanes<1>;
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
