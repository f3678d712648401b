#include "rollout/decode_attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/softmax.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "policy/linear.h"
#include "runtime/trace.h"

namespace magic {

namespace {

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define MAGIC_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MAGIC_CLONES
#endif

// One key-value head of one sequence: scores, softmax and the weighted sum for its G query heads.
// query, out: [G, dim]; scores: room for [G, length].
MAGIC_CLONES void attend_head(const float* query, float* out, float* scores, const float* keys, const float* values,
                              const BlockTable& table, int64_t group, int64_t dim, int64_t stride, float scale) {
  constexpr int64_t kSlots = kBlockSlots;
  for (int64_t position = 0; position < table.length; position++) {
    const float* key = keys + (table.blocks[position / kSlots] * kSlots + position % kSlots) * stride;
    for (int64_t g = 0; g < group; g++) {
      float dot = 0;
      for (int64_t d = 0; d < dim; d++) dot += query[g * dim + d] * key[d];
      scores[g * table.length + position] = dot * scale;
    }
  }
  for (int64_t g = 0; g < group; g++) {
    float* row = scores + g * table.length;
    float largest = row[0];
    for (int64_t i = 1; i < table.length; i++) largest = std::max(largest, row[i]);
    float sum = 0;
    for (int64_t i = 0; i < table.length; i++) {
      row[i] = std::exp(row[i] - largest);
      sum += row[i];
    }
    for (int64_t i = 0; i < table.length; i++) row[i] /= sum;
    std::fill(out + g * dim, out + (g + 1) * dim, 0.0f);
  }
  for (int64_t position = 0; position < table.length; position++) {
    const float* value = values + (table.blocks[position / kSlots] * kSlots + position % kSlots) * stride;
    for (int64_t g = 0; g < group; g++) {
      const float weight = scores[g * table.length + position];
      for (int64_t d = 0; d < dim; d++) out[g * dim + d] += weight * value[d];
    }
  }
}

at::Tensor attend_blocks(const Shape& shape, const KvCache& cache, int64_t layer, const at::Tensor& queries,
                         const std::vector<const BlockTable*>& tables) {
  const int64_t heads = shape.key_value_head_count, dim = shape.head_dim, group = shape.head_count / heads;
  const at::Tensor rows = queries.contiguous();
  at::Tensor output = at::empty_like(rows);
  const float* query = rows.const_data_ptr<float>();
  float* out = output.mutable_data_ptr<float>();
  const float* keys = cache.keys(layer).const_data_ptr<float>();
  const float* values = cache.values(layer).const_data_ptr<float>();
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(dim)));
  at::parallel_for(0, static_cast<int64_t>(tables.size()) * heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> scores;
    for (int64_t i = begin; i < end; i++) {
      const int64_t sequence = i / heads, head = i % heads;
      const BlockTable& table = *tables[sequence];
      if (static_cast<int64_t>(scores.size()) < group * table.length) scores.resize(group * table.length);
      const int64_t at = (sequence * heads + head) * group * dim;
      attend_head(query + at, out + at, scores.data(), keys + head * dim, values + head * dim, table, group, dim,
                  heads * dim, scale);
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
  const bool blocks = queries.is_cpu() && queries.scalar_type() == at::kFloat;
  return (blocks ? attend_blocks : attend_gathered)(shape, cache, layer, queries, tables);
}

}  // namespace magic
