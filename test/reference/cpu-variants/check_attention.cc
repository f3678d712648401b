// Attention of one head, a tile of query rows at a time, forward and backward.

#include <algorithm>
#include <cmath>

#include "check.h"
#include "policy/segment.h"

namespace magic {

namespace {

struct Case {
  int64_t tokens, dim;
  Segment segment;
  double deviation;  // of queries and keys
};

struct Rows {
  int64_t count, width;
  std::vector<float> values;

  // [count, dim], in rows of whole vectors; what lies between them is not a number.
  Rows(const std::vector<float>& from, int64_t dim)
      : count(static_cast<int64_t>(from.size()) / dim),
        width((dim + 31) / 32 * 32),
        values((count + 1) * width + kGuard, kNan) {
    for (int64_t i = 0; i < count; i++) std::copy_n(from.data() + i * dim, dim, values.data() + i * width);
  }

  std::vector<float> head(int64_t dim) const {
    std::vector<float> out;
    for (int64_t i = 0; i < count; i++) {
      out.insert(out.end(), values.begin() + i * width, values.begin() + i * width + dim);
    }
    return out;
  }
};

// The rows [begin, end), each tile's transposed where its rows would be.
void transpose_tiles(const std::vector<float>& from, int64_t begin, int64_t end, int64_t dim, std::vector<float>& to) {
  for (int64_t first = begin; first < end; first += kAttentionTile) {
    const int64_t rows = std::min(kAttentionTile, end - first);
    for (int64_t i = 0; i < rows; i++) {
      for (int64_t d = 0; d < dim; d++) to[first * dim + d * rows + i] = from[(first + i) * dim + d];
    }
  }
}

std::vector<float> across(const std::vector<float>& from, const Segment& segment, int64_t dim) {
  std::vector<float> out(from.size() + kGuard, kNan);
  transpose_tiles(from, segment.prefix_begin, segment.prefix_end, dim, out);
  transpose_tiles(from, segment.begin, segment.end, dim, out);
  return out;
}

void check_case(const Kernels& kernels, const Case& given) {
  const auto [tokens, dim, segment, deviation] = given;
  const std::string name = "attention " + std::to_string(tokens) + "x" + std::to_string(dim) +
                           (segment.prefix_end > 0 ? " with a prefix" : "") + (deviation > 1 ? ", peaked" : "");
  const auto q = normal<float>(tokens * dim, deviation), k = normal<float>(tokens * dim, deviation),
             v = normal<float>(tokens * dim), d_out = normal<float>(tokens * dim);
  const double scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(dim)));
  const auto sees = [&, segment = segment](int64_t i, int64_t j) {
    return j < segment.begin ? j >= segment.prefix_begin && j < segment.prefix_end : j <= i;
  };
  std::vector<Expected> out(tokens * dim), logsum(tokens), d_q(tokens * dim), d_k(tokens * dim), d_v(tokens * dim);
  std::vector<float> logsums(tokens), dots(tokens);
  for (int64_t i = segment.begin; i < segment.end; i++) {
    std::vector<double> weight(tokens), off(tokens), d_weight(tokens);
    double top = -kInfinity, sum = 0, worst = 0, dot = 0;
    for (int64_t j = 0; j < tokens; j++) {
      if (!sees(i, j)) continue;
      double size = 0;
      for (int64_t d = 0; d < dim; d++) {
        const double term = double{q[i * dim + d]} * k[j * dim + d] * scale;
        weight[j] += term;
        size += std::abs(term);
        d_weight[j] += double{d_out[i * dim + d]} * v[j * dim + d];
      }
      off[j] = static_cast<double>(dim + 16) * 0x1p-24 * size + 0x1p-21;
      top = std::max(top, weight[j]);
      worst = std::max(worst, off[j]);
    }
    for (int64_t j = 0; j < tokens; j++) sum += weight[j] = sees(i, j) ? std::exp(weight[j] - top) : 0;
    for (int64_t j = 0; j < tokens; j++) {
      weight[j] /= sum;
      dot += weight[j] * d_weight[j];
      off[j] += worst + static_cast<double>(tokens) * 0x1p-24;  // relative, of a weight
      for (int64_t d = 0; d < dim; d++) {
        out[i * dim + d].value += weight[j] * v[j * dim + d];
        out[i * dim + d].slack += 2 * off[j] * std::abs(weight[j] * v[j * dim + d]);
        d_v[j * dim + d].value += weight[j] * d_out[i * dim + d];
        d_v[j * dim + d].slack += 2 * off[j] * std::abs(weight[j] * d_out[i * dim + d]);
      }
    }
    logsum[i] = {top + std::log(sum), worst + 0x1p-20 + 0x1p-22 * std::abs(top)};
    logsums[i] = static_cast<float>(logsum[i].value);
    dots[i] = static_cast<float>(dot);
    for (int64_t j = 0; j < tokens; j++) {
      const double d_score = weight[j] * (d_weight[j] - dot) * scale;
      const double size = weight[j] * (std::abs(d_weight[j]) + std::abs(dot) + static_cast<double>(dim)) * scale;
      const double relative = 4 * off[j] + 0x1p-22 * std::abs(logsum[i].value);
      for (int64_t d = 0; d < dim; d++) {
        d_q[i * dim + d].value += d_score * k[j * dim + d];
        d_q[i * dim + d].slack += relative * size * std::abs(k[j * dim + d]);
        d_k[j * dim + d].value += d_score * q[i * dim + d];
        d_k[j * dim + d].slack += relative * size * std::abs(q[i * dim + d]);
      }
    }
  }
  for (auto* of : {&out, &d_q, &d_k, &d_v}) {
    for (Expected& value : *of) value.slack += 0x1p-24 * std::abs(value.value);
  }

  const Rows keys(k, dim), values(v, dim);
  const auto keys_across = across(k, segment, dim), values_across = across(v, segment, dim);
  const HeadKeys head{keys.values.data(), values.values.data(), keys_across.data(), values_across.data(), dim,
                      keys.width};
  const std::vector<float> zeros(tokens * dim, 0.0f);
  Rows result(zeros, dim), d_queries(zeros, dim), d_keys(zeros, dim), d_values(zeros, dim);
  std::vector<float> logsum_out(tokens), scores(kAttentionTile * kAttentionTile + kGuard, kNan), d_scores = scores;
  for (int64_t begin = segment.begin; begin < segment.end; begin += kAttentionTile) {
    const RowTile tile{begin, std::min(begin + kAttentionTile, segment.end), &given.segment};
    const int64_t from = begin * dim, to = tile.end * dim;
    std::vector<float> scaled(q.begin() + from, q.begin() + to);
    Rows plain(scaled, dim), d_rows({d_out.begin() + from, d_out.begin() + to}, dim), out_rows(scaled, dim);
    for (float& value : scaled) value *= static_cast<float>(scale);
    Rows queries(scaled, dim);
    kernels.attend(
        tile, head, logsum_out.data() + begin,
        {scores.data(), d_scores.data(), queries.values.data(), out_rows.values.data(), d_rows.values.data()});
    std::copy_n(out_rows.values.data(), (tile.end - begin) * keys.width, result.values.data() + begin * keys.width);
    kernels.attend_backward(
        tile, head, static_cast<float>(scale), logsums.data() + begin, dots.data() + begin, d_keys.values.data(),
        d_values.values.data(),
        {scores.data(), d_scores.data(), plain.values.data(), out_rows.values.data(), d_rows.values.data()});
    std::copy_n(out_rows.values.data(), (tile.end - begin) * keys.width, d_queries.values.data() + begin * keys.width);
  }
  check(name, out, result.head(dim));
  check(name + " log-sums", logsum, logsum_out);
  check(name + " d queries", d_q, d_queries.head(dim));
  check(name + " d keys", d_k, d_keys.head(dim));
  check(name + " d values", d_v, d_values.head(dim));
}

}  // namespace

void check_attention(const Kernels& kernels) {
  for (const int64_t dim : {8, 10, 16, 33, 64, 96}) {
    for (const int64_t tokens : {1, 2, 7, 15, 17, 64, 65, 131}) {
      check_case(kernels, {tokens, dim, {0, tokens, 0, 0}, 1.0});
    }
    check_case(kernels, {150, dim, {71, 150, 0, 69}, 1.0});
    check_case(kernels, {150, dim, {71, 150, 0, 69}, 4.0});
  }
}

}  // namespace magic
