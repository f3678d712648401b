// One row of logits in one pass: a block's largest is found and its exponentials are summed while the block is in the
// first-level cache.

MAGIC_INLINE float largest_logit(const float* logits, int64_t count, const Floats& scale) {
  // Two at once, as each comparison waits for the one before; what is not a number is passed over.
  const Floats lowest(-std::numeric_limits<float>::infinity());
  Floats tops[2] = {lowest, lowest};
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    for (int half = 0; half < 2; half++) {
      tops[half] = at::vec::clamp_min(tops[half], load(logits + i + half * kLanes) * scale);
    }
  }
  for (; i < count; i += kLanes) {
    const Floats z = Floats::set(lowest, load(logits + i, count - i) * scale, count - i);
    tops[0] = at::vec::clamp_min(tops[0], z);
  }
  return largest_of(at::vec::clamp_min(tops[0], tops[1]));
}

void scan_logits(const float* logits, int64_t count, float scale, LogitBlock* blocks) {
  const Floats scales(scale), zero(0.0f);
  for (int64_t start = 0; start < count; start += kLogitBlock, blocks++) {
    const float* from = logits + start;
    const int64_t size = std::min(kLogitBlock, count - start);
    const float top = largest_logit(from, size, scales);
    const Floats tops(top);
    Floats sums[2] = {zero, zero}, weighted[2] = {zero, zero};
    int64_t i = 0;
    for (; i + 2 * kLanes <= size; i += 2 * kLanes) {
      for (int half = 0; half < 2; half++) {
        const Floats z = at::vec::fmsub(load(from + i + half * kLanes), scales, tops), weight = exponential(z);
        sums[half] = sums[half] + weight;
        weighted[half] = at::vec::fmadd(weight, z, weighted[half]);
      }
    }
    for (; i < size; i += kLanes) {
      const Floats z = at::vec::fmsub(load(from + i, size - i), scales, tops), weight = exponential(z);
      sums[0] = Floats::set(sums[0], sums[0] + weight, size - i);
      weighted[0] = Floats::set(weighted[0], at::vec::fmadd(weight, z, weighted[0]), size - i);
    }
    *blocks = {top, sum_in_order(sums[0] + sums[1]), sum_in_order(weighted[0] + weighted[1])};
  }
}

void logit_weights(const float* logits, int64_t count, float scale, float largest, float* weights) {
  const Floats scales(scale), tops(largest);
  const auto weigh = [&](const Floats& x) { return exponential(at::vec::fmsub(x, scales, tops)); };
  at::vec::map(weigh, weights, logits, count);
}

// logits to exp(z) (a + b z) in `out`, which may be the logits themselves.
template <typename T>
void logit_gradient(const float* logits, int64_t count, float scale, float largest, float a, float b, T* out) {
  const Floats scales(scale), tops(largest), as(a), bs(b);
  for_vectors<T>(count, [&](int64_t i, int64_t n) {
    Values<T> values;
    for (int part = 0; part < kVectors<T>; part++) {
      const int64_t at = part * kLanes, there = std::max<int64_t>(0, n - at);
      const Floats z = at::vec::fmsub(load(logits + i + at, there), scales, tops);
      values[part] = exponential(z) * at::vec::fmadd(bs, z, as);
    }
    store_values(out + i, values, n);
  });
}
