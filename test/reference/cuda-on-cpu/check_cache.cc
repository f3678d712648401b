// Paged keys and values: what is written, and attention over it against double precision.

#include <algorithm>
#include <numeric>

#include "check.h"

namespace magic {

namespace {

constexpr int64_t kBlockSlots = 16;

template <class T>
void check_store(int64_t width) {
  const int64_t tokens = 5, stride = 3 * width + 8, slots = 64;
  const auto qkv = normal<T>(tokens * stride), pool = normal<T>(slots * width);
  // That below 0 is nobody's.
  const std::vector<int64_t> to{3, 63, -1, 17, 18};
  std::vector<double> keys, values;
  append(keys, pool);
  append(values, pool);
  for (int64_t t = 0; t < tokens; t++) {
    for (int64_t i = 0; i < width && to[t] >= 0; i++) {
      keys[to[t] * width + i] = to_float(qkv[t * stride + width + i]);
      values[to[t] * width + i] = to_float(qkv[t * stride + 2 * width + i]);
    }
  }
  std::vector<double> expected = keys;
  append(expected, values);
  check(std::string("store keys ") + name_of<T>() + " " + std::to_string(width), expected, 0, [&] {
    auto key_pool = pool, value_pool = pool;
    store_keys_on_device(kHere, kElementOf<T>,
                         {qkv.data() + width, qkv.data() + 2 * width, key_pool.data(), value_pool.data(), to.data(),
                          tokens, width, stride});
    std::vector<double> out;
    append(out, key_pool);
    append(out, value_pool);
    return out;
  });
}

template <class T>
struct Cache {
  Cache(int64_t heads, int64_t group, int64_t dim, std::vector<int32_t> given_lengths)
      : heads(heads), group(group), dim(dim), lengths(std::move(given_lengths)) {
    const int64_t batch = static_cast<int64_t>(lengths.size());
    longest = *std::max_element(lengths.begin(), lengths.end());
    a_row = (longest + kBlockSlots - 1) / kBlockSlots;
    // Blocks of the pool in no order; what a table has beyond its sequence is never looked up.
    std::vector<int32_t> order(batch * a_row);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random_bits);
    blocks = order;
    for (int64_t b = 0; b < batch; b++) {
      for (int64_t i = (lengths[b] + kBlockSlots - 1) / kBlockSlots; i < a_row; i++) blocks[b * a_row + i] = -1000000;
    }
    keys = normal<T>(order.size() * kBlockSlots * heads * dim);
    values = normal<T>(order.size() * kBlockSlots * heads * dim);
    stride = heads * group * dim + 5;
    queries = normal<T>(batch * stride, 2.0);
  }

  std::vector<double> expected(int64_t b) const {
    std::vector<double> out(heads * group * dim);
    for (int64_t h = 0; h < heads * group; h++) {
      std::vector<double> scores(lengths[b]);
      const auto slot = [&](int64_t position) {
        return (blocks[b * a_row + position / kBlockSlots] * kBlockSlots + position % kBlockSlots) * heads * dim +
               h / group * dim;
      };
      for (int64_t p = 0; p < lengths[b]; p++) {
        for (int64_t d = 0; d < dim; d++) {
          scores[p] += to_float(queries[b * stride + h * dim + d]) * to_float(keys[slot(p) + d]) / std::sqrt(dim);
        }
      }
      if (scores.empty()) continue;
      const double largest = *std::max_element(scores.begin(), scores.end());
      double sum = 0;
      for (double& score : scores) sum += score = std::exp(score - largest);
      for (int64_t p = 0; p < lengths[b]; p++) {
        for (int64_t d = 0; d < dim; d++) out[h * dim + d] += scores[p] / sum * to_float(values[slot(p) + d]);
      }
    }
    return out;
  }

  // Of sequences [first, first + count); more: splits that none of them has.
  std::vector<double> attend(int64_t first, int64_t count, int64_t more = 0) const {
    const int64_t most =
        *std::max_element(lengths.begin() + first, lengths.begin() + first + count) + more * DecodeAttention::kSplit;
    const int64_t splits = (most + DecodeAttention::kSplit - 1) / DecodeAttention::kSplit;
    std::vector<T> output(count * heads * group * dim, to_element<T>(NAN));
    std::vector<float> partial(count * heads * group * splits * (dim + 2));
    decode_attention_on_device(
        kHere, kElementOf<T>,
        {queries.data() + first * stride, keys.data(), values.data(), output.data(), blocks.data() + first * a_row,
         lengths.data() + first, partial.data(), count, heads, group, dim, stride, a_row, kBlockSlots, most});
    std::vector<double> out;
    append(out, output);
    return out;
  }

  int64_t heads, group, dim, longest, a_row, stride;
  std::vector<int32_t> lengths, blocks;
  std::vector<T> keys, values, queries;
};

template <class T>
void check_attention(int64_t heads, int64_t group, int64_t dim, std::vector<int32_t> lengths) {
  const std::string name = std::string("decode attention ") + name_of<T>() + " " + std::to_string(heads) + "x" +
                           std::to_string(group) + "x" + std::to_string(dim);
  const Cache<T> cache(heads, group, dim, std::move(lengths));
  const int64_t batch = static_cast<int64_t>(cache.lengths.size());
  std::vector<double> expected;
  for (int64_t b = 0; b < batch; b++) append(expected, cache.expected(b));
  check(name, expected, std::max(2e-6, kStep<T> / 2), [&] { return cache.attend(0, batch); });
  std::vector<double> alone;
  for (int64_t b = 0; b < batch; b++) append(alone, cache.attend(b, 1));
  check(name + ", each sequence alone", alone, 0, [&] { return cache.attend(0, batch); });
  check(name + ", room for longer ones", alone, 0, [&] { return cache.attend(0, batch, 3); });
}

// A graph of two kernels, replayed on what its buffers hold by then.
template <class T>
void check_graph() {
  constexpr int64_t kTokens = 3, kWidth = 64, kSlots = 32;
  const Launch stream{0, &failures};  // any but the default one
  auto keys = normal<T>(kTokens * kWidth), values = normal<T>(kTokens * kWidth);
  std::vector<T> key_pool(kSlots * kWidth), value_pool(kSlots * kWidth), copy(kSlots * kWidth);
  std::vector<int64_t> to{4, 9, 2}, all(kSlots);
  std::iota(all.begin(), all.end(), 0);
  std::vector<double> expected;
  for (const auto* rows : {&keys, &values}) append(expected, *rows);
  check(std::string("graph ") + name_of<T>(), expected, 0, [&] {
    std::fill(key_pool.begin(), key_pool.end(), to_element<T>(0));
    void* graph = nullptr;
    int error = begin_capture_on_device(stream);
    error |= store_keys_on_device(
        stream, kElementOf<T>,
        {keys.data(), values.data(), key_pool.data(), value_pool.data(), to.data(), kTokens, kWidth, kWidth});
    error |= store_keys_on_device(
        stream, kElementOf<T>,
        {key_pool.data(), value_pool.data(), copy.data(), value_pool.data(), all.data(), kSlots, kWidth, kWidth});
    error |= end_capture_on_device(stream, &graph);
    const bool waited = std::all_of(key_pool.begin(), key_pool.end(), [](T value) { return to_float(value) == 0; });
    to = {31, 0, 7};
    error |= replay_on_device(stream, graph);
    error |= drop_graph_on_device(graph);
    std::vector<double> out;
    for (const auto* pool : {&copy, &value_pool}) {
      for (const int64_t slot : to) {
        append(out, std::vector<T>(pool->begin() + slot * kWidth, pool->begin() + (slot + 1) * kWidth));
      }
    }
    to = {4, 9, 2};
    return error == 0 && waited ? out : std::vector<double>{};
  });
  void* graph = nullptr;
  check(std::string("graph of the default stream ") + name_of<T>(), {1, 1, 0}, 0, [&] {
    const bool refused = begin_capture_on_device(kHere) != 0, ended = end_capture_on_device(kHere, &graph) != 0;
    return std::vector<double>{refused ? 1.0 : 0.0, ended ? 1.0 : 0.0, graph ? 1.0 : 0.0};
  });
}

template <class T>
void check_all() {
  check_store<T>(64);
  check_store<T>(51);
  check_graph<T>();
  check_attention<T>(2, 1, 64, {1, 5});
  check_attention<T>(1, 3, 64, {16, 255, 256, 257, 1});
  check_attention<T>(2, 6, 128, {40, 530});
  check_attention<T>(2, 3, 64, {0, 7, 0});
  check_attention<T>(1, 2, 128, {0, 300});
  check_attention<T>(1, 9, 128, {3, 33});
}

}  // namespace

void check_cache() {
  check_all<float>();
  check_all<__nv_bfloat16>();
}

}  // namespace magic
