// Causal attention of one head and one tile of query rows, keys a tile at a time with the softmax's largest score and
// sum kept online (FlashAttention-2, Dao 2023): scores exist for one tile only.

// What a tile's rows see of its keys: row i those before key i + diagonal + 1.
struct Triangle {
  int64_t diagonal;
  int64_t keys_of(int64_t row) const { return row + diagonal + 1; }                         // that a row sees
  int64_t first_row_of(int64_t key) const { return std::max<int64_t>(0, key - diagonal); }  // that sees a key
};

constexpr auto kNothing = []() {};

// scores [rows, keys] = queries [rows, dim] keys_across [dim, keys], but for what no row of a strip sees. Columns are
// rounded up to two vectors: there is room for that many.
void score_tile(const float* queries, int64_t width, const float* keys_across, float* scores, int64_t rows,
                int64_t keys, int64_t dim, const Triangle& triangle) {
  for (int64_t key = 0; key < keys; key += 2 * kLanes) {
    for_strips(
        rows, [&]<int R>(int64_t row) __attribute__((always_inline)) {
          if (triangle.keys_of(row + R - 1) <= key) return;
          strip_product<R, 2, Left::kRows>(queries + row * width, width, keys_across + key, keys,
                                           scores + row * kAttentionTile + key, kAttentionTile, dim, false, kNothing);
        });
  }
}

// out [rows, dim] += weights [rows, keys] values [keys, dim]; weights are 0 where a row doesn't see a key.
void add_weighted(const float* weights, const float* values, float* out, int64_t width, int64_t rows, int64_t keys,
                  int64_t dim, const Triangle& triangle) {
  for (int64_t d = 0; d < dim; d += 2 * kLanes) {
    for_strips(
        rows, [&]<int R>(int64_t row) __attribute__((always_inline)) {
          strip_product<R, 2, Left::kRows>(weights + row * kAttentionTile, kAttentionTile, values + d, width,
                                           out + row * width + d, width, std::min(keys, triangle.keys_of(row + R - 1)),
                                           true, kNothing);
        });
  }
}

// The transpose: out [keys, dim] += weights^T [keys, rows] values [rows, dim].
void add_weighted_across(const float* weights, const float* values, float* out, int64_t width, int64_t rows,
                         int64_t keys, int64_t dim, const Triangle& triangle) {
  for (int64_t d = 0; d < dim; d += 2 * kLanes) {
    for_strips(
        keys, [&]<int R>(int64_t key) __attribute__((always_inline)) {
          const int64_t row = std::min(rows, triangle.first_row_of(key));
          strip_product<R, 2, Left::kTransposed>(weights + row * kAttentionTile + key, kAttentionTile,
                                                 values + row * width + d, width, out + key * width + d, width,
                                                 rows - row, true, kNothing);
        });
  }
}

// Calls body(first key, keys, what is seen of them) for each tile of keys that the rows see: all of a prefix, of their
// own segment those up to themselves.
template <typename Body>
MAGIC_INLINE void for_key_tiles(const RowTile& tile, const Body& body) {
  const Segment& segment = *tile.segment;
  for (int64_t key = segment.prefix_begin; key < segment.prefix_end; key += kAttentionTile) {
    body(key, std::min(kAttentionTile, segment.prefix_end - key), Triangle{kAttentionTile});
  }
  for (int64_t key = segment.begin; key < tile.end; key += kAttentionTile) {
    body(key, std::min(kAttentionTile, tile.end - key), Triangle{tile.begin - key});
  }
}

// Of a row's scores, up to a whole vector, those that are not seen; how many there are then.
MAGIC_INLINE int64_t hide(float* row, int64_t visible) {
  const int64_t whole = (visible + kLanes - 1) / kLanes * kLanes;
  for (int64_t j = visible; j < whole; j++) row[j] = -std::numeric_limits<float>::infinity();
  return whole;
}

void attend_tile(const RowTile& tile, const HeadKeys& head, float* logsum, const TileScratch& scratch) {
  const int64_t rows = tile.end - tile.begin, dim = head.dim, width = head.width;
  float largest[kAttentionTile], sum[kAttentionTile];
  std::fill_n(largest, kAttentionTile, -std::numeric_limits<float>::infinity());
  std::fill_n(sum, kAttentionTile, 0.0f);
  std::fill_n(scratch.out, rows * width, 0.0f);
  for_key_tiles(tile, [&](int64_t key, int64_t count, const Triangle& triangle) {
    score_tile(scratch.queries, width, head.keys_across + key * dim, scratch.scores, rows, count, dim, triangle);
    for (int64_t i = 0; i < rows; i++) {
      float* row = scratch.scores + i * kAttentionTile;
      const int64_t whole = hide(row, std::min(count, triangle.keys_of(i)));
      Floats highest(largest[i]), total(0.0f);
      for (int64_t j = 0; j < whole; j += kLanes) highest = at::vec::clamp_min(highest, load(row + j));
      const float top = largest_of(highest);
      const Floats tops(top);
      for (int64_t j = 0; j < whole; j += kLanes) {
        const Floats p = exponential(load(row + j) - tops);
        total = total + p;
        p.store(row + j);
      }
      for (int64_t j = whole; j < count; j++) row[j] = 0.0f;
      if (top > largest[i]) {
        const float rescale = std::exp(largest[i] - top);
        sum[i] *= rescale;
        for (int64_t d = 0; d < width; d++) scratch.out[i * width + d] *= rescale;
        largest[i] = top;
      }
      sum[i] += sum_in_order(total);
    }
    add_weighted(scratch.scores, head.values + key * width, scratch.out, width, rows, count, dim, triangle);
  });
  for (int64_t i = 0; i < rows; i++) {
    const float inverse = 1.0f / sum[i];
    for (int64_t d = 0; d < dim; d++) scratch.out[i * width + d] *= inverse;
    logsum[i] = largest[i] + std::log(sum[i]);
  }
}

void attend_tile_backward(const RowTile& tile, const HeadKeys& head, float scale, const float* logsum,
                          const float* dots, float* d_keys, float* d_values, const TileScratch& scratch) {
  const int64_t rows = tile.end - tile.begin, dim = head.dim, width = head.width;
  float *scores = scratch.scores, *d_scores = scratch.d_scores;
  const Floats scales(scale);
  std::fill_n(scratch.out, rows * width, 0.0f);
  for_key_tiles(tile, [&](int64_t key, int64_t count, const Triangle& triangle) {
    score_tile(scratch.queries, width, head.keys_across + key * dim, scores, rows, count, dim, triangle);
    score_tile(scratch.d_out, width, head.values_across + key * dim, d_scores, rows, count, dim, triangle);
    for (int64_t i = 0; i < rows; i++) {
      float *row = scores + i * kAttentionTile, *d_row = d_scores + i * kAttentionTile;
      const int64_t whole = hide(row, std::min(count, triangle.keys_of(i)));
      const Floats logsums(logsum[i]), dot(dots[i]), zero(0.0f);
      for (int64_t j = 0; j < whole; j += kLanes) {
        // above 0 by rounding alone
        const Floats p = exponential(at::vec::clamp_max(at::vec::fmsub(load(row + j), scales, logsums), zero));
        // what lies behind the last key is no number to rely on
        const Floats d = Floats::blendv(zero, p * (load(d_row + j) - dot) * scales, p > zero);
        p.store(row + j);
        d.store(d_row + j);
      }
      for (int64_t j = whole; j < count; j++) row[j] = d_row[j] = 0.0f;
    }
    const float* keys = head.keys + key * width;
    add_weighted_across(scores, scratch.d_out, d_values + key * width, width, rows, count, dim, triangle);
    add_weighted(d_scores, keys, scratch.out, width, rows, count, dim, triangle);
    add_weighted_across(d_scores, scratch.queries, d_keys + key * width, width, rows, count, dim, triangle);
  });
}
