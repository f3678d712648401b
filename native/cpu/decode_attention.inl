// Attention of single queries over cached keys and values, one block of the cache after the other, with the softmax's
// largest score and sum kept online (FlashAttention-2, Dao 2023). A row's result does not depend on which others pass
// over the block with it.

constexpr int64_t kScores = kAttentionBlock;
constexpr int kKeys = 4;  // of which the dot products are taken at once
static_assert(kScores % kLanes == 0);

// scores [R, kScores] of R queries and the block's keys; what lies behind the last key is minus infinity.
template <int R, typename T>
MAGIC_INLINE void score_rows(const float* queries, const DecodeRows& rows, const CacheBlock<T>& block, float* scores) {
  const int64_t dim = rows.dim, whole = dim / kLanes * kLanes;
  for (int64_t key = 0; key < block.count; key += kKeys) {
    const T* keys[kKeys];
    for (int64_t k = 0; k < kKeys; k++) keys[k] = block.keys + std::min(key + k, block.count - 1) * block.stride;
    Floats sum[R][kKeys], k[kKeys];
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
      for (int c = 0; c < kKeys; c++) sum[r][c] = Floats(0.0f);
    }
    const auto add = [&](int64_t d, int64_t count) __attribute__((always_inline)) {
#pragma GCC unroll 4
      for (int c = 0; c < kKeys; c++) k[c] = load(keys[c] + d, count);
#pragma GCC unroll 4
      for (int r = 0; r < R; r++) {
        const Floats q = load(queries + r * rows.width + d, count);
#pragma GCC unroll 4
        for (int c = 0; c < kKeys; c++) sum[r][c] = at::vec::fmadd(q, k[c], sum[r][c]);
      }
    };
    for (int64_t d = 0; d < whole; d += kLanes) add(d, kLanes);
    if (whole < dim) add(whole, dim - whole);
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
      for (int c = 0; c < kKeys; c++) scores[r * kScores + key + c] = sum_of(sum[r][c]);
    }
  }
  for (int r = 0; r < R; r++) {
    for (int64_t j = block.count; j < kScores; j++) {
      scores[r * kScores + j] = -std::numeric_limits<float>::infinity();
    }
  }
}

// Scores to weights relative to the largest score so far; what the sums so far have to be multiplied by.
MAGIC_INLINE float online_softmax(float* scores, float& largest, float& sum) {
  Floats highest(largest), total(0.0f);
  for (int64_t j = 0; j < kScores; j += kLanes) highest = at::vec::clamp_min(highest, load(scores + j));
  const float top = largest_of(highest);
  const Floats tops(top);
  for (int64_t j = 0; j < kScores; j += kLanes) {
    const Floats p = exponential(load(scores + j) - tops);
    total = total + p;
    p.store(scores + j);
  }
  const float rescale = top > largest ? std::exp(largest - top) : 1.0f;
  largest = top;
  sum = sum * rescale + sum_of(total);
  return rescale;
}

// out [R, V vectors] = rescale out + weights values, for the components from `d` on.
template <int R, int V, typename T>
MAGIC_INLINE void weigh_values(float* out, const DecodeRows& rows, const CacheBlock<T>& block, const float* weights,
                               const float* rescale, int64_t d, int64_t count) {
  Floats sum[R][V], v[V];
#pragma GCC unroll 4
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
    for (int i = 0; i < V; i++) {
      sum[r][i] = load(out + r * rows.width + d + i * kLanes) * Floats(rescale[r]);
    }
  }
  for (int64_t key = 0; key < block.count; key++) {
#pragma GCC unroll 4
    for (int i = 0; i < V; i++) v[i] = load(block.values + key * block.stride + d + i * kLanes, count);
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
      const Floats weight(weights[r * kScores + key]);
#pragma GCC unroll 4
      for (int i = 0; i < V; i++) sum[r][i] = at::vec::fmadd(weight, v[i], sum[r][i]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
    for (int i = 0; i < V; i++) sum[r][i].store(out + r * rows.width + d + i * kLanes);
  }
}

template <int R, typename T>
MAGIC_INLINE void attend_block_rows(const DecodeRows& rows, int64_t first, const CacheBlock<T>& block) {
  alignas(64) float scores[R * kScores];
  float rescale[R];
  score_rows<R>(rows.queries + first * rows.width, rows, block, scores);
  for (int r = 0; r < R; r++) {
    rescale[r] = online_softmax(scores + r * kScores, rows.largest[first + r], rows.sum[first + r]);
  }
  float* out = rows.out + first * rows.width;
  int64_t d = 0;
  for (; d + 4 * kLanes <= rows.dim; d += 4 * kLanes) {
    weigh_values<R, 4>(out, rows, block, scores, rescale, d, kLanes);
  }
  for (; d < rows.dim; d += kLanes) weigh_values<R, 1>(out, rows, block, scores, rescale, d, rows.dim - d);
}

// On its way to the cache while this block is worked on.
template <typename T>
MAGIC_INLINE void fetch_rows(const T* from, int64_t stride, int64_t dim) {
  if (!from) return;
  for (int64_t row = 0; row < kScores; row++) {
    for (int64_t d = 0; d < dim; d += 64 / int64_t{sizeof(T)}) __builtin_prefetch(from + row * stride + d, 0, 2);
  }
}

template <typename T>
void attend_block(const DecodeRows& rows, int64_t begin, int64_t end, const CacheBlock<T>& block) {
  fetch_rows(block.next_keys, block.stride, rows.dim);
  int64_t row = begin;
  for (; row + 3 <= end; row += 3) attend_block_rows<3>(rows, row, block);
  fetch_rows(block.next_values, block.stride, rows.dim);
  for (; row < end; row++) attend_block_rows<1>(rows, row, block);
}
