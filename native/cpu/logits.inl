// One row of logits in one pass: a block's largest is found and its exponentials are summed while the block is in the
// first-level cache.

// z = logit * scale relative to `largest`, at most 0, and exp(z).
MAGIC_INLINE void weigh(Floats& z, Floats& weight, const float* logits, float scale, float largest, int64_t count) {
  load(z, logits, count);
  z = z * scale - largest;
  weight = z;
  exp_nonpositive(weight);
}

void scan_logits(const float* logits, int64_t count, float scale, LogitBlock* blocks) {
  for (int64_t start = 0; start < count; start += kLogitBlock, blocks++) {
    const float* from = logits + start;
    const int64_t size = std::min(kLogitBlock, count - start), whole = size / kLanes * kLanes;
    Floats tops = Floats{} - std::numeric_limits<float>::infinity(), z;
    for (int64_t i = 0; i < whole; i += kLanes) {
      load(z, from + i);
      z *= scale;
      tops = z > tops ? z : tops;
    }
    float top = -std::numeric_limits<float>::infinity();
    for (int64_t lane = 0; lane < kLanes; lane++) top = std::fmax(top, tops[lane]);
    for (int64_t i = whole; i < size; i++) top = std::fmax(top, from[i] * scale);

    Floats sums[2]{}, weighted[2]{}, weight;
    int64_t i = 0;
    for (; i + 2 * kLanes <= size; i += 2 * kLanes) {
#pragma GCC unroll 2
      for (int half = 0; half < 2; half++) {
        weigh(z, weight, from + i + half * kLanes, scale, top, kLanes);
        sums[half] += weight;
        weighted[half] += weight * z;
      }
    }
    float sum = sum_of(sums[0] + sums[1]), weighted_sum = sum_of(weighted[0] + weighted[1]);
    for (; i < size; i++) {
      const float rest = from[i] * scale - top, e = std::exp(rest);
      sum += e;
      weighted_sum += e * rest;
    }
    *blocks = {top, sum, weighted_sum};
  }
}

void logit_weights(const float* logits, int64_t count, float scale, float largest, float* weights) {
  Floats z, weight;
  for (int64_t i = 0; i < count; i += kLanes) {
    weigh(z, weight, logits + i, scale, largest, count - i);
    store(weights + i, weight, count - i);
  }
}

// In place, logits to exp(z) (a + b z).
void logit_gradient(float* logits, int64_t count, float scale, float largest, float a, float b) {
  Floats z, weight;
  for (int64_t i = 0; i < count; i += kLanes) {
    weigh(z, weight, logits + i, scale, largest, count - i);
    z = weight * (a + b * z);
    store(logits + i, z, count - i);
  }
}
