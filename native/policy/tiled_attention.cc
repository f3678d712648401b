#include "policy/tiled_attention.h"

#include <ATen/Parallel.h>
#include <ATen/ceil_div.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "cpu/kernels.h"
#include "runtime/share_tasks.h"

namespace magic {

namespace {

// What kernels may read behind the end, in floats: two of the widest vectors.
constexpr int64_t kRoom = 32;

template <typename From, typename To>
void copy_rows(const From* from, int64_t from_row, To* to, int64_t to_row, int64_t rows, int64_t width) {
  for (int64_t i = 0; i < rows; i++) std::copy_n(from + i * from_row, width, to + i * to_row);
}

// On their way to the cache while something else is worked on: rows so far apart are nothing that the processor
// expects.
template <bool kWrites, typename T>
void fetch_rows(const T* from, int64_t row, int64_t rows, int64_t width) {
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t d = 0; d < width; d += 64 / int64_t{sizeof(T)}) __builtin_prefetch(from + i * row + d, kWrites, 2);
  }
}

void add_tiles(int64_t begin, int64_t end, const Segment& segment, std::vector<RowTile>& tiles) {
  for (int64_t row = begin; row < end; row += kAttentionTile) {
    tiles.push_back({row, std::min(row + kAttentionTile, end), &segment});
  }
}

std::vector<RowTile> query_tiles(const std::vector<Segment>& segments) {
  std::vector<RowTile> tiles;
  for (const Segment& segment : segments) add_tiles(segment.begin, segment.end, segment, tiles);
  return tiles;
}

// Those of the queries and, where a prefix is of no segment, its.
std::vector<RowTile> key_tiles(const std::vector<Segment>& segments) {
  std::vector<RowTile> tiles;
  int64_t end = 0;
  for (const Segment& segment : segments) {
    if (segment.prefix_begin >= end) add_tiles(segment.prefix_begin, segment.prefix_end, segment, tiles);
    add_tiles(segment.begin, segment.end, segment, tiles);
    end = segment.end;
  }
  return tiles;
}

// Keys and values of each key-value head, copied so that what a tile reads lies in one piece: the rows, and each tile's
// transpose.
class HeadCopies {
 public:
  template <typename Element>
  HeadCopies(const Shape& shape, const std::vector<RowTile>& tiles, const Element* qkv, int64_t tokens, bool backward)
      : query_heads_(shape.head_count),
        heads_(shape.key_value_head_count),
        dim_(shape.head_dim),
        tokens_(tokens),
        width_(at::round_up(dim_, kRoom)) {
    const int64_t along = heads_ * tokens_ * width_, across = heads_ * tokens_ * dim_ + kRoom;
    keys_across_ = at::empty({across});
    values_ = at::empty({along});
    if (backward) {
      keys_ = at::empty({along});
      values_across_ = at::empty({across});
    }
    const auto count = static_cast<int64_t>(tiles.size());
    at::parallel_for(0, heads_ * count, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> room(kAttentionTile * width_);
      for (int64_t i = begin; i < end; i++) copy(qkv, i / count, tiles[i % count], room.data());
    });
  }

  HeadKeys head(int64_t head) const {
    const int64_t along = head * tokens_ * width_, across = head * tokens_ * dim_;
    return {at(keys_, along), at(values_, along), at(keys_across_, across), at(values_across_, across), dim_, width_};
  }

  int64_t width() const { return width_; }

 private:
  static float* at(const at::Tensor& copies, int64_t offset) {
    return copies.defined() ? copies.mutable_data_ptr<float>() + offset : nullptr;
  }

  template <typename Element>
  void copy(const Element* qkv, int64_t head, const RowTile& tile, float* room) {
    const int64_t row = (query_heads_ + 2 * heads_) * dim_;
    const Element* key = qkv + tile.begin * row + (query_heads_ + head) * dim_;
    const int64_t along = (head * tokens_ + tile.begin) * width_, across = (head * tokens_ + tile.begin) * dim_;
    copy(key, row, tile, keys_.defined() ? at(keys_, along) : room, at(keys_across_, across));
    copy(key + heads_ * dim_, row, tile, at(values_, along), at(values_across_, across));
  }

  // `across` may be null.
  template <typename Element>
  void copy(const Element* from, int64_t from_row, const RowTile& tile, float* along, float* across) {
    const int64_t rows = tile.end - tile.begin;
    for (int64_t i = 0; i < rows; i++) {
      float* to = along + i * width_;
      std::fill(std::copy_n(from + i * from_row, dim_, to), to + width_, 0.0f);
    }
    if (across) kernels().pack.across(along, width_, rows, dim_, across, rows);
  }

  int64_t query_heads_, heads_, dim_, tokens_, width_;
  at::Tensor keys_, values_;                // [Hkv, T, width]
  at::Tensor keys_across_, values_across_;  // [Hkv, T D], a tile's [D, rows] where its rows would be
};

// Runs body(task, scratch) for tasks [0, count).
template <typename Body>
void share_tiles(int64_t count, int64_t width, const Body& body) {
  share_tasks(count, [&](const auto& next) {
    constexpr int64_t kScores = kAttentionTile * kAttentionTile;
    const int64_t rows = kAttentionTile * width;
    std::vector<float> room(2 * kScores + 3 * rows);
    float* queries = room.data() + 2 * kScores;
    const TileScratch scratch{room.data(), room.data() + kScores, queries, queries + rows, queries + 2 * rows};
    for (int64_t task = next(); task < count; task = next()) body(task, scratch);
  });
}

// In double: its rounding does not average out over the keys.
template <typename Element>
float dot(const Element* a, const Element* b, int64_t count) {
  constexpr int64_t kSums = 8;  // that don't wait for each other
  double sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= count; i += kSums) {
    for (int64_t j = 0; j < kSums; j++) sums[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
  }
  for (; i < count; i++) sums[0] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return static_cast<float>(std::accumulate(sums, sums + kSums, 0.0));
}

template <typename Element>
void attend(const Shape& shape, const std::vector<Segment>& segments, const at::Tensor& qkvs, const at::Tensor& outputs,
            const at::Tensor& logsums) {
  const Element* qkv = qkvs.const_data_ptr<Element>();
  Element* output = outputs.mutable_data_ptr<Element>();
  float* logsum = logsums.mutable_data_ptr<float>();
  const int64_t heads = shape.head_count, kv_heads = shape.key_value_head_count, dim = shape.head_dim;
  const int64_t group = heads / kv_heads, row = (heads + 2 * kv_heads) * dim, tokens = qkvs.size(0);
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(dim)));
  const std::vector<RowTile> tiles = query_tiles(segments);
  const HeadCopies copies(shape, key_tiles(segments), qkv, tokens, false);
  const int64_t width = copies.width();
  const auto count = static_cast<int64_t>(tiles.size());
  const auto attend_tile = kernels().attend;
  share_tiles(count * heads, width, [&](int64_t task, const TileScratch& scratch) {
    // The last tiles of a segment see the most keys: they go first.
    const RowTile& tile = tiles[count - 1 - task / heads];
    const int64_t head = task % heads, rows = tile.end - tile.begin;
    const Element* queries = qkv + tile.begin * row + head * dim;
    for (int64_t i = 0; i < rows; i++) {
      for (int64_t d = 0; d < dim; d++) scratch.queries[i * width + d] = queries[i * row + d] * scale;
    }
    Element* out = output + (tile.begin * heads + head) * dim;
    fetch_rows<true>(out, heads * dim, rows, dim);
    attend_tile(tile, copies.head(head / group), logsum + head * tokens + tile.begin, scratch);
    copy_rows(scratch.out, width, out, heads * dim, rows, dim);
  });
}

template <typename Element>
void attend_backward(const Shape& shape, const std::vector<Segment>& segments, const at::Tensor& qkvs,
                     const at::Tensor& outputs, const at::Tensor& logsums, const at::Tensor& d_outputs,
                     const at::Tensor& d_qkvs) {
  const Element *qkv = qkvs.const_data_ptr<Element>(), *output = outputs.const_data_ptr<Element>();
  const Element* d_output = d_outputs.const_data_ptr<Element>();
  const float* logsum = logsums.const_data_ptr<float>();
  Element* d_qkv = d_qkvs.mutable_data_ptr<Element>();
  const int64_t heads = shape.head_count, kv_heads = shape.key_value_head_count, dim = shape.head_dim;
  const int64_t group = heads / kv_heads, row = (heads + 2 * kv_heads) * dim, tokens = qkvs.size(0);
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(dim)));
  const HeadCopies copies(shape, key_tiles(segments), qkv, tokens, true);
  const int64_t width = copies.width();
  // A prompt and the responses after it: only within such a family do rows add to the same keys.
  std::vector<std::vector<RowTile>> families;
  for (const Segment& segment : segments) {
    if (families.empty() || segment.prefix_begin == segment.prefix_end) families.emplace_back();
    add_tiles(segment.begin, segment.end, segment, families.back());
  }
  // Each query head adds up its keys' and values' gradients apart, so that heads are independent tasks.
  const at::Tensor apart = at::zeros({2, heads, tokens, width});
  float *d_keys = apart.mutable_data_ptr<float>(), *d_values = d_keys + heads * tokens * width;
  const auto attend_tile = kernels().attend_backward;
  share_tiles(static_cast<int64_t>(families.size()) * heads, width, [&](int64_t task, const TileScratch& scratch) {
    const int64_t head = task % heads;
    const std::vector<RowTile>& tiles = families[task / heads];
    for (size_t i = 0; i < tiles.size(); i++) {
      const RowTile& tile = tiles[i];
      const int64_t rows = tile.end - tile.begin, at = (tile.begin * heads + head) * dim;
      copy_rows(qkv + tile.begin * row + head * dim, row, scratch.queries, width, rows, dim);
      copy_rows(d_output + at, heads * dim, scratch.d_out, width, rows, dim);
      // The softmax's backward is d score = p (d p - sum(d out * out)).
      float dots[kAttentionTile];
      for (int64_t i = 0; i < rows; i++)
        dots[i] = dot(d_output + at + i * heads * dim, output + at + i * heads * dim, dim);
      if (i + 1 < tiles.size()) {
        const RowTile& next = tiles[i + 1];
        const int64_t next_at = (next.begin * heads + head) * dim;
        fetch_rows<false>(qkv + next.begin * row + head * dim, row, next.end - next.begin, dim);
        fetch_rows<false>(d_output + next_at, heads * dim, next.end - next.begin, dim);
        fetch_rows<false>(output + next_at, heads * dim, next.end - next.begin, dim);
      }
      fetch_rows<true>(d_qkv + tile.begin * row + head * dim, row, rows, dim);
      attend_tile(tile, copies.head(head / group), scale, logsum + head * tokens + tile.begin, dots,
                  d_keys + head * tokens * width, d_values + head * tokens * width, scratch);
      copy_rows(scratch.out, width, d_qkv + tile.begin * row + head * dim, row, rows, dim);
    }
  });
  at::parallel_for(0, tokens, 16, [&](int64_t begin, int64_t end) {
    std::vector<float> sum(dim);
    for (int64_t t = begin; t < end; t++) {
      Element* to = d_qkv + t * row + heads * dim;
      for (const float* from : {d_keys, d_values}) {
        for (int64_t kv = 0; kv < kv_heads; kv++, to += dim) {
          std::fill(sum.begin(), sum.end(), 0.0f);
          for (int64_t g = 0; g < group; g++) {
            const float* part = from + ((kv * group + g) * tokens + t) * width;
            for (int64_t d = 0; d < dim; d++) sum[d] += part[d];
          }
          std::copy_n(sum.data(), dim, to);
        }
      }
    }
  });
}

}  // namespace

void attend_tiles(const Shape& shape, const std::vector<Segment>& segments, const at::Tensor& qkv,
                  const at::Tensor& output, const at::Tensor& logsum) {
  const bool float32 = qkv.scalar_type() == at::kFloat;
  (float32 ? attend<float> : attend<c10::BFloat16>)(shape, segments, qkv, output, logsum);
}

void attend_tiles_backward(const Shape& shape, const std::vector<Segment>& segments, const at::Tensor& qkv,
                           const at::Tensor& output, const at::Tensor& logsum, const at::Tensor& d_output,
                           const at::Tensor& d_qkv) {
  const bool float32 = qkv.scalar_type() == at::kFloat;
  (float32 ? attend_backward<float> : attend_backward<c10::BFloat16>)(shape, segments, qkv, output, logsum, d_output,
                                                                      d_qkv);
}

}  // namespace magic
