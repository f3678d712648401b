// Attention of single queries over the blocks of the KV cache.

#include <algorithm>
#include <cmath>

#include "check.h"

namespace magic {

namespace {

template <class T>
void check_rows_over_blocks(const Kernels& kernels, int64_t rows, int64_t keys, int64_t dim, double deviation) {
  const int64_t blocks = (keys + kAttentionBlock - 1) / kAttentionBlock, stride = dim + 5;
  const int64_t width = (dim + 15) / 16 * 16;
  auto k = normal<T>(blocks * kAttentionBlock * stride, deviation), v = normal<T>(k.size());
  // What lies behind the last key is not a number.
  std::fill(k.begin() + keys * stride, k.end(), static_cast<T>(kNan));
  std::fill(v.begin() + keys * stride, v.end(), static_cast<T>(kNan));
  const auto q = normal<float>(rows * width, deviation / std::sqrt(static_cast<double>(dim)));
  std::vector<Expected> expected(rows * dim), sums(rows);
  for (int64_t r = 0; r < rows; r++) {
    std::vector<double> weight(keys), off(keys);
    double top = -kInfinity, sum = 0, worst = 0;
    for (int64_t j = 0; j < keys; j++) {
      double size = 0;
      for (int64_t d = 0; d < dim; d++) {
        const double term = double{q[r * width + d]} * k[j * stride + d];
        weight[j] += term;
        size += std::abs(term);
      }
      off[j] = static_cast<double>(dim + 16) * 0x1p-24 * size + 0x1p-21;
      worst = std::max(worst, off[j]);
      top = std::max(top, weight[j]);
    }
    for (int64_t j = 0; j < keys; j++) sum += weight[j] = std::exp(weight[j] - top);
    sums[r] = {top + std::log(sum), worst + 0x1p-20 + 0x1p-22 * std::abs(top)};
    for (int64_t j = 0; j < keys; j++) {
      for (int64_t d = 0; d < dim; d++) {
        const double term = weight[j] / sum * v[j * stride + d];
        expected[r * dim + d].value += term;
        expected[r * dim + d].slack += 2 * (off[j] + worst + static_cast<double>(keys) * 0x1p-24) * std::abs(term);
      }
    }
  }
  std::vector<float> out(rows * width + kGuard), largest(rows, -kInfinity), sum(rows);
  for (int64_t b = 0; b < blocks; b++) {
    const int64_t at = b * kAttentionBlock * stride, next = b + 1 < blocks ? at + kAttentionBlock * stride : 0;
    kernels.rows<T>().attend_block(
        {q.data(), out.data(), largest.data(), sum.data(), dim, width}, 0, rows,
        {k.data() + at, v.data() + at, stride, std::min(kAttentionBlock, keys - b * kAttentionBlock),
         next ? k.data() + next : nullptr, next ? v.data() + next : nullptr});
  }
  std::vector<float> result, log_sums;
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t d = 0; d < dim; d++) result.push_back(out[r * width + d] / sum[r]);
    log_sums.push_back(largest[r] + std::log(sum[r]));
  }
  const std::string name = std::string("decode attention ") + name_of<T>() + " " + std::to_string(rows) + "x" +
                           std::to_string(keys) + "x" + std::to_string(dim) + (deviation > 1 ? ", peaked" : "");
  check(name, expected, result);
  check(name + " log-sums", sums, log_sums);
}

template <class T>
void check_type(const Kernels& kernels) {
  for (const int64_t dim : {8, 10, 33, 64, 80, 128}) {
    for (const int64_t keys : {1, 3, 15, 16, 17, 50}) {
      for (const int64_t rows : {1, 3, 5}) check_rows_over_blocks<T>(kernels, rows, keys, dim, 1.0);
    }
    check_rows_over_blocks<T>(kernels, 4, 70, dim, 5.0);
  }
}

}  // namespace

void check_decode(const Kernels& kernels) {
  check_type<float>(kernels);
  check_type<c10::BFloat16>(kernels);
}

}  // namespace magic
