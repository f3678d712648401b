// The inner part of products of matrices: a strip of c = a b, rows by some vectors of columns, whose sums stay in
// registers over all of the inner axis.

// Rows of the tallest strip with two vectors of columns, of which there are 32 or 16 registers for.
constexpr int64_t kStripRows = kLanes == 16 ? 12 : 6;

// Calls body<R>(first row) for strips of R rows: the tallest first. Less than four rows and two vectors wait for
// each other's sums.
template <typename Body>
MAGIC_INLINE void for_strips(int64_t rows, const Body& body) {
  int64_t row = 0;
  const auto strips = [&]<int R>() {
    for (; row + R <= rows; row += R) body.template operator()<R>(row);
  };
  strips.template operator()<kStripRows>();
  strips.template operator()<4>();
  strips.template operator()<2>();
  strips.template operator()<1>();
}

// The left operand: its rows one after the other, `stride` apart, or the rows of its transpose.
enum class Left { kRows, kTransposed };

// Steps on the inner axis between calls of `meanwhile`.
constexpr int64_t kStripSteps = 8;

// c [R, V vectors] = a [R, depth] b [depth, V vectors], added to c where `add`. Strides in elements.
template <int R, int V, Left kLeft, typename Meanwhile>
MAGIC_INLINE void strip_product(const float* a, int64_t stride, const float* b, int64_t b_row, float* c, int64_t c_row,
                                int64_t depth, bool add, const Meanwhile& meanwhile) {
  Floats sum[R][V];
#pragma GCC unroll 12
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) sum[r][v] = add ? load(c + r * c_row + v * kLanes) : Floats(0.0f);
  }
  // A pointer for three rows, which one instruction reaches by the stride: one for each would not fit the registers.
  constexpr int kPointers = kLeft == Left::kRows ? (R + 2) / 3 : 1;
  const float* rows[kPointers];
#pragma GCC unroll 4
  for (int p = 0; p < kPointers; p++) rows[p] = a + 3 * p * stride;
  const auto step = [&]() __attribute__((always_inline)) {
    Floats columns[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) columns[v] = load(b + v * kLanes);
#pragma GCC unroll 12
    for (int r = 0; r < R; r++) {
      const Floats value(kLeft == Left::kRows ? rows[r / 3 % kPointers][r % 3 * stride] : rows[0][r]);
#pragma GCC unroll 2
      for (int v = 0; v < V; v++) sum[r][v] = at::vec::fmadd(value, columns[v], sum[r][v]);
    }
    b += b_row;
#pragma GCC unroll 4
    for (int p = 0; p < kPointers; p++) {
      rows[p] += kLeft == Left::kRows ? 1 : stride;
      asm("" : "+r"(rows[p]));  // gcc would keep each row's own address after all
    }
  };
  int64_t k = 0;
  for (; k + kStripSteps <= depth; k += kStripSteps) {
    meanwhile();
#pragma GCC unroll 2
    for (int64_t j = 0; j < kStripSteps; j++) step();
  }
  for (; k < depth; k++) step();
#pragma GCC unroll 12
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) sum[r][v].store(c + r * c_row + v * kLanes);
  }
}
