// Causal attention of one head and one tile of query rows, keys a tile at a time with the softmax's largest score and
// sum kept online (FlashAttention-2, Dao 2023): scores exist for one tile only.

// A matrix of which element (i, k) is at data[i * row + k * column]: a transpose is the strides the other way round.
struct TileView {
  const float* data;
  int64_t row, column;
};

// As many as there are registers for.
constexpr int64_t kStripRows = kLanes == 16 ? 12 : 6;

// R rows and 2 vectors of columns of c: the sums stay in registers over all of `depth`.
template <int R>
MAGIC_INLINE void product_strip(const TileView& a, const float* b, int64_t b_row, float* c, int64_t c_row,
                                int64_t depth, bool add) {
  Floats left[R], right[R];
#pragma GCC unroll 12
  for (int i = 0; i < R; i++) {
    left[i] = add ? load(c + i * c_row) : Floats(0.0f);
    right[i] = add ? load(c + i * c_row + kLanes) : Floats(0.0f);
  }
  for (int64_t k = 0; k < depth; k++) {
    const Floats u = load(b + k * b_row), v = load(b + k * b_row + kLanes);
    const float* column = a.data + k * a.column;
#pragma GCC unroll 12
    for (int i = 0; i < R; i++) {
      const Floats w(column[i * a.row]);
      left[i] = at::vec::fmadd(w, u, left[i]);
      right[i] = at::vec::fmadd(w, v, right[i]);
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < R; i++) {
    left[i].store(c + i * c_row);
    right[i].store(c + i * c_row + kLanes);
  }
}

// c [rows, columns] = a [rows, depth] b [depth, columns], added to c where `add`. Columns are rounded up to 32: b and c
// have room for that many.
void tile_product(const TileView& a, const float* b, int64_t b_row, float* c, int64_t c_row, int64_t rows,
                  int64_t columns, int64_t depth, bool add) {
  for (int64_t j = 0; j < columns; j += 2 * kLanes) {
    int64_t i = 0;
    for (; i + kStripRows <= rows; i += kStripRows) {
      product_strip<kStripRows>({a.data + i * a.row, a.row, a.column}, b + j, b_row, c + i * c_row + j, c_row, depth,
                                add);
    }
    for (; i + 2 <= rows; i += 2) {
      product_strip<2>({a.data + i * a.row, a.row, a.column}, b + j, b_row, c + i * c_row + j, c_row, depth, add);
    }
    if (i < rows) {
      product_strip<1>({a.data + i * a.row, a.row, a.column}, b + j, b_row, c + i * c_row + j, c_row, depth, add);
    }
  }
}

// Calls body(first key, keys) for each tile of keys that the rows see; the last row sees all of them.
template <typename Body>
MAGIC_INLINE void for_key_tiles(const RowTile& tile, const Body& body) {
  const Segment& segment = *tile.segment;
  for (int64_t key = segment.prefix_begin; key < segment.prefix_end; key += kAttentionTile) {
    body(key, std::min(kAttentionTile, segment.prefix_end - key));
  }
  for (int64_t key = segment.begin; key < tile.end; key += kAttentionTile) {
    body(key, std::min(kAttentionTile, tile.end - key));
  }
}

// How many of the keys from `key` on does a row see? All of a prefix, of its own segment those up to itself.
MAGIC_INLINE int64_t seen(const RowTile& tile, int64_t row, int64_t key, int64_t keys) {
  return key < tile.segment->begin ? keys : std::min(keys, row + 1 - key);
}

// The scores of a row that are not seen, up to a whole vector.
MAGIC_INLINE void hide(float* row, int64_t visible, int64_t count) {
  for (int64_t j = visible; j < (count + kLanes - 1) / kLanes * kLanes; j++) {
    row[j] = -std::numeric_limits<float>::infinity();
  }
}

void attend_tile(const RowTile& tile, const HeadKeys& head, float* logsum, const TileScratch& scratch) {
  const int64_t rows = tile.end - tile.begin, dim = head.dim, width = head.width;
  float largest[kAttentionTile], sum[kAttentionTile];
  std::fill_n(largest, kAttentionTile, -std::numeric_limits<float>::infinity());
  std::fill_n(sum, kAttentionTile, 0.0f);
  std::fill_n(scratch.out, rows * width, 0.0f);
  for_key_tiles(tile, [&](int64_t key, int64_t count) {
    tile_product({scratch.queries, width, 1}, head.keys_across + key, head.length, scratch.scores, kAttentionTile, rows,
                 count, dim, false);
    for (int64_t i = 0; i < rows; i++) {
      float* row = scratch.scores + i * kAttentionTile;
      hide(row, seen(tile, tile.begin + i, key, count), count);
      Floats highest(largest[i]), total(0.0f);
      for (int64_t j = 0; j < count; j += kLanes) highest = at::vec::clamp_min(highest, load(row + j));
      const float top = largest_of(highest);
      const Floats tops(top);
      for (int64_t j = 0; j < count; j += kLanes) {
        const Floats p = exponential(load(row + j) - tops);
        total = total + p;
        p.store(row + j);
      }
      if (top > largest[i]) {
        const float rescale = std::exp(largest[i] - top);
        sum[i] *= rescale;
        for (int64_t d = 0; d < width; d++) scratch.out[i * width + d] *= rescale;
        largest[i] = top;
      }
      sum[i] += sum_in_order(total);
    }
    tile_product({scratch.scores, kAttentionTile, 1}, head.values + key * width, width, scratch.out, width, rows, dim,
                 count, true);
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
  for_key_tiles(tile, [&](int64_t key, int64_t count) {
    tile_product({scratch.queries, width, 1}, head.keys_across + key, head.length, scores, kAttentionTile, rows, count,
                 dim, false);
    tile_product({scratch.d_out, width, 1}, head.values_across + key, head.length, d_scores, kAttentionTile, rows,
                 count, dim, false);
    for (int64_t i = 0; i < rows; i++) {
      float *row = scores + i * kAttentionTile, *d_row = d_scores + i * kAttentionTile;
      hide(row, seen(tile, tile.begin + i, key, count), count);
      const Floats logsums(logsum[i]), dot(dots[i]), zero(0.0f);
      for (int64_t j = 0; j < count; j += kLanes) {
        // above 0 by rounding alone
        const Floats p = exponential(at::vec::clamp_max(at::vec::fmsub(load(row + j), scales, logsums), zero));
        // what lies behind the last key is no number to rely on
        const Floats d = Floats::blendv(zero, p * (load(d_row + j) - dot) * scales, p > zero);
        p.store(row + j);
        d.store(d_row + j);
      }
    }
    tile_product({scores, 1, kAttentionTile}, scratch.d_out, width, d_values + key * width, width, count, dim, rows,
                 true);
    tile_product({d_scores, kAttentionTile, 1}, head.keys + key * width, width, scratch.out, width, rows, dim, count,
                 true);
    tile_product({d_scores, 1, kAttentionTile}, scratch.queries, width, d_keys + key * width, width, count, dim, rows,
                 true);
  });
}
