#include "rollout/decode_attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/softmax.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/kernels.h"
#include "product/product.h"
#include "runtime/share_tasks.h"
#include "runtime/trace.h"

namespace magic {

namespace {

static_assert(kBlockSlots == kAttentionBlock);

// Queries of a part.
constexpr int64_t kMostRows = 96;

// A thread's part of a step: consecutive sequences, one key-value head.
template <typename T>
class Part {
 public:
  Part(const Shape& shape, const KvCache& cache, int64_t layer, const std::vector<const BlockTable*>& tables)
      : kernels_(kernels().rows<T>()),
        tables_(tables),
        keys_(cache.keys(layer).const_data_ptr<T>()),
        values_(cache.values(layer).const_data_ptr<T>()),
        dim_(shape.head_dim),
        width_((dim_ + 15) / 16 * 16),
        stride_(shape.key_value_head_count * dim_),
        group_(shape.head_count / shape.key_value_head_count) {}

  // queries, out: [B, Hq D]
  void attend(int64_t begin, int64_t end, int64_t head, const T* queries, T* out) {
    const int64_t rows = (end - begin) * group_;
    room_.assign(rows * (2 * width_ + 2), 0.0f);
    float* q = room_.data();
    rows_ = {q, q + rows * width_, q + 2 * rows * width_, q + 2 * rows * width_ + rows, dim_, width_};
    std::fill_n(rows_.largest, rows, -std::numeric_limits<float>::infinity());
    first_ = begin;
    offset_ = head * dim_;
    const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(dim_)));
    const auto at = [&](int64_t row) {
      return ((begin + row / group_) * stride_ + offset_) * group_ + row % group_ * dim_;
    };
    for (int64_t row = 0; row < rows; row++) {
      for (int64_t d = 0; d < dim_; d++) q[row * width_ + d] = static_cast<float>(queries[at(row) + d]) * scale;
    }
    attend_from(begin, end, 0);
    for (int64_t row = 0; row < rows; row++) {
      const float inverse = 1.0f / rows_.sum[row];
      for (int64_t d = 0; d < dim_; d++) out[at(row) + d] = static_cast<T>(rows_.out[row * width_ + d] * inverse);
    }
  }

 private:
  // The sequences' blocks from the `depth`th on: those that they all have in common, then those of each branch.
  void attend_from(int64_t begin, int64_t end, int64_t depth) {
    const BlockTable& first = *tables_[begin];
    const bool alone = end == begin + 1;
    int64_t common = alone ? static_cast<int64_t>(first.blocks.size()) : first.length / kBlockSlots;
    for (int64_t i = begin + 1; i < end; i++) common = shared_blocks(first, *tables_[i], depth, common);
    for (int64_t i = depth; i < common; i++) {
      const T *keys = keys_ + offset_, *values = values_ + offset_;
      const int64_t at = first.blocks[i] * kBlockSlots * stride_;
      const bool last = i + 1 == common;
      const int64_t next = last ? 0 : first.blocks[i + 1] * kBlockSlots * stride_;
      kernels_.attend_block(rows_, (begin - first_) * group_, (end - first_) * group_,
                            {keys + at, values + at, stride_, std::min(kBlockSlots, first.length - i * kBlockSlots),
                             last ? nullptr : keys + next, last ? nullptr : values + next});
    }
    if (alone) return;
    for (int64_t from = begin; from < end;) {
      int64_t to = from + 1;
      while (to < end && shared_blocks(*tables_[from], *tables_[to], common, common + 1) > common) to++;
      attend_from(from, to, common);
      from = to;
    }
  }

  // How many of the first `most` blocks, which are equal up to `depth`, are full and the same in both.
  static int64_t shared_blocks(const BlockTable& a, const BlockTable& b, int64_t depth, int64_t most) {
    most = std::min({most, a.length / kBlockSlots, b.length / kBlockSlots});
    int64_t i = depth;
    while (i < most && a.blocks[i] == b.blocks[i]) i++;
    return i;
  }

  const RowKernels<T>& kernels_;
  const std::vector<const BlockTable*>& tables_;
  const T *keys_, *values_;
  int64_t dim_, width_, stride_, group_;
  std::vector<float> room_;
  DecodeRows rows_{};
  int64_t first_ = 0, offset_ = 0;
};

template <typename T>
at::Tensor attend_blocks(const Shape& shape, const KvCache& cache, int64_t layer, const at::Tensor& queries,
                         const std::vector<const BlockTable*>& tables) {
  const at::Tensor rows = queries.contiguous();
  at::Tensor output = at::empty_like(rows);
  const T* query = rows.const_data_ptr<T>();
  T* out = output.mutable_data_ptr<T>();
  const int64_t heads = shape.key_value_head_count, batch = static_cast<int64_t>(tables.size());
  // Sequences in one part read what they share once; but there should be parts for all threads, and their sums so far
  // should stay in the cache.
  const int64_t most = std::max<int64_t>(1, kMostRows * heads / shape.head_count);
  const int64_t some = std::clamp<int64_t>(batch * heads / (2 * at::get_num_threads()), 1, most);
  std::vector<int64_t> starts{0};
  for (int64_t i = 1; i < batch; i++) {
    const bool related = tables[i]->blocks.front() == tables[i - 1]->blocks.front();
    if (!related || i - starts.back() == some) starts.push_back(i);
  }
  starts.push_back(batch);
  const int64_t parts = (static_cast<int64_t>(starts.size()) - 1) * heads;
  share_tasks(parts, [&](const auto& next) {
    Part<T> part(shape, cache, layer, tables);
    for (int64_t i = next(); i < parts; i = next()) {
      part.attend(starts[i / heads], starts[i / heads + 1], i % heads, query, out);
    }
  });
  return output;
}

at::Tensor attend_gathered(const Shape& shape, const KvCache& cache, int64_t layer, const at::Tensor& queries,
                           const std::vector<const BlockTable*>& tables) {
  const int64_t heads = shape.key_value_head_count, dim = shape.head_dim, group = shape.head_count / heads;
  const int64_t batch = static_cast<int64_t>(tables.size());
  int64_t longest = 0;
  for (const BlockTable* table : tables) longest = std::max(longest, table->length);
  std::vector<int64_t> slots(batch * longest, 0);
  std::vector<int64_t> lengths(batch);
  for (int64_t b = 0; b < batch; b++) {
    lengths[b] = tables[b]->length;
    for (int64_t i = 0; i < lengths[b]; i++) {
      slots[b * longest + i] = tables[b]->slot(i);
    }
  }
  const at::Tensor index = at::from_blob(slots.data(), {batch * longest}, at::kLong).to(queries.device());
  const auto gathered = [&](const at::Tensor& pool) {
    return pool.index_select(0, index)
        .view({batch, longest, heads, dim})
        .permute({0, 2, 1, 3})
        .reshape({batch * heads, longest, dim});
  };
  const at::Tensor q = queries.reshape({batch * heads, group, dim});
  at::Tensor scores = product(q, gathered(cache.keys(layer)).transpose(1, 2)).to(at::kFloat);
  scores.mul_(1.0 / std::sqrt(static_cast<double>(dim)));
  const at::Tensor length = at::from_blob(lengths.data(), {batch, 1, 1, 1}, at::kLong).to(queries.device());
  const at::Tensor padding = at::arange(longest, length.options()).ge(length);
  scores.view({batch, heads, group, longest}).masked_fill_(padding, -std::numeric_limits<float>::infinity());
  return product(at::softmax(scores, -1).to(queries.scalar_type()), gathered(cache.values(layer)))
      .view({batch, heads * group * dim});
}

}  // namespace

at::Tensor decode_attention(const Shape& shape, const KvCache& cache, int64_t layer, const at::Tensor& queries,
                            const std::vector<const BlockTable*>& tables) {
  const Span span("attention");
  if (!queries.is_cpu()) return attend_gathered(shape, cache, layer, queries, tables);
  const bool float32 = queries.scalar_type() == at::kFloat;
  return (float32 ? attend_blocks<float> : attend_blocks<c10::BFloat16>)(shape, cache, layer, queries, tables);
}

}  // namespace magic
