// Token, log-prob and entropy of rows of logits without leaving the device, the twin of sampler.cc: a block of threads
// takes a row, reads it once, and reads the one segment again that the draw falls into.

#include "cuda/functions.h"
#include "cuda/launch.cuh"
#include "cuda/moments.cuh"
#include "rollout/random_stream.h"
#include "rollout/truncated.cuh"

namespace magic {

namespace {

constexpr unsigned kThreads = 512, kWarps = kThreads / kWarp;
constexpr int kSegments = 256, kSegmentsALane = kSegments / kWarp;

__device__ __forceinline__ int lowest(unsigned lanes) { return __ffs(static_cast<int>(lanes)) - 1; }
__device__ __forceinline__ int highest(unsigned lanes) { return 31 - __clz(static_cast<int>(lanes)); }

// Segments of a row in the order of the vocabulary: their largest z, and the sum of e^(z - that).
struct Segments {
  float largest[kSegments], sum[kSegments];
};

struct Place {
  int segment;
  double remaining;  // what of the threshold the segments before it leave
};

// Where the running sum of e^(z - largest) passes u of the whole; called by a whole warp.
__device__ Place find_segment(const Segments& segments, float largest, double u) {
  const int lane = threadIdx.x % kWarp, first = lane * kSegmentsALane;
  double weights[kSegmentsALane], own = 0;
  for (int i = 0; i < kSegmentsALane; i++) {
    weights[i] = segments.sum[first + i] * exp(static_cast<double>(segments.largest[first + i]) - largest);
    own += weights[i];
  }
  double running = own;
  for (int offset = 1; offset < static_cast<int>(kWarp); offset *= 2) {
    const double before = __shfl_up_sync(kAllLanes, running, offset);
    if (lane >= offset) running += before;
  }
  const double threshold = u * __shfl_sync(kAllLanes, running, kWarp - 1);
  const unsigned possible = __ballot_sync(kAllLanes, own > 0);
  const unsigned passed = __ballot_sync(kAllLanes, own > 0 && running > threshold);
  // What rounding leaves above the last sum belongs to the last segment with any weight.
  const int chosen = passed ? lowest(passed) : possible ? highest(possible) : 0;
  Place place{first, 0};
  double before = running - own;
  for (int i = 0; i < kSegmentsALane; i++) {
    if (weights[i] > 0) place = {first + i, threshold - before};
    before += weights[i];
    if (weights[i] > 0 && before > threshold) break;
  }
  place.segment = __shfl_sync(kAllLanes, place.segment, chosen);
  place.remaining = __shfl_sync(kAllLanes, place.remaining, chosen);
  return place;
}

// The first segment that has the largest logit; called by a whole warp.
__device__ Place find_largest(const Segments& segments, float largest) {
  const int lane = threadIdx.x % kWarp;
  for (int start = 0; start < kSegments; start += kWarp) {
    const unsigned has = __ballot_sync(kAllLanes, segments.largest[start + lane] == largest);
    if (has) return {start + lowest(has), 0};
  }
  return {0, 0};
}

// The token of a segment [begin, end); called by a whole warp.
__device__ int64_t find_token(const float* logits, int64_t begin, int64_t end, float scale, float largest, bool greedy,
                              double remaining) {
  const int lane = threadIdx.x % kWarp;
  double passed = 0;
  int64_t last_possible = begin;
  for (int64_t start = begin; start < end; start += kWarp) {
    const int64_t i = start + lane;
    const float z = i < end ? logits[i] * scale : 0.0f;
    if (greedy) {
      const unsigned has = __ballot_sync(kAllLanes, i < end && z == largest);
      if (has) return start + lowest(has);
      continue;
    }
    const double e = i < end ? expf(z - largest) : 0.0;
    double running = e;
    for (int offset = 1; offset < static_cast<int>(kWarp); offset *= 2) {
      const double before = __shfl_up_sync(kAllLanes, running, offset);
      if (lane >= offset) running += before;
    }
    running += passed;
    const unsigned has = __ballot_sync(kAllLanes, e > 0 && running > remaining);
    if (has) return start + lowest(has);
    const unsigned possible = __ballot_sync(kAllLanes, e > 0);
    if (possible) last_possible = start + highest(possible);
    passed = __shfl_sync(kAllLanes, running, kWarp - 1);
  }
  return last_possible;
}

__device__ __forceinline__ void write(const SampleRows& args, int64_t row, int64_t token, const Moments& moments) {
  const double log_sum = log(static_cast<double>(moments.sum));
  const double z = args.logits[row * args.vocab + token] * args.scale;
  args.tokens[row] = static_cast<int32_t>(token);
  args.logprobs[row] = static_cast<float>(z - moments.largest - log_sum);
  args.entropy[row] = static_cast<float>(log_sum - static_cast<double>(moments.weighted) / moments.sum);
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads) sample_kernel(const SampleRows args) {
  __shared__ Segments segments;
  const int64_t row = blockIdx.x;
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const float* logits = args.logits + row * args.vocab;
  const int64_t packs = (args.vocab / kWidth + kSegments - 1) / kSegments, length = packs * kWidth;
  Moments moments;
  for (int segment = warp; segment < kSegments; segment += kWarps) {
    const int64_t begin = segment * length, left = args.vocab - begin;
    const int64_t count = left < 0 ? 0 : left < length ? left : length;
    const Moments own = warp_moments(row_moments<kWidth>(logits + begin, count, args.scale, lane, kWarp));
    if (lane == 0) {
      segments.largest[segment] = own.largest;
      segments.sum[segment] = own.sum;
      merge(moments, own);
    }
  }
  moments = block_moments(moments);
  if (warp != 0) return;
  const Place place = args.greedy ? find_largest(segments, moments.largest)
                                  : find_segment(segments, moments.largest,
                                                 uniform(args.seeds[row], static_cast<uint64_t>(args.counters[row])));
  const int64_t begin = place.segment * length, end = begin + length < args.vocab ? begin + length : args.vocab;
  const int64_t token = find_token(logits, begin, end, args.scale, moments.largest, args.greedy, place.remaining);
  if (lane == 0) write(args, row, token < args.vocab ? token : 0, moments);
}

__global__ void __launch_bounds__(kThreads) sample_truncated_kernel(const SampleRows args) {
  const int64_t row = blockIdx.x;
  const float* logits = args.logits + row * args.vocab;
  const Moments moments = block_moments(row_moments<1>(logits, args.vocab, args.scale, threadIdx.x, kThreads));
  int64_t token = 0;
  // The same for all threads. Not-a-numbers have no order: the caller sees them in the entropy.
  if (isfinite(moments.weighted) && isfinite(moments.sum)) {
    const double u = uniform(args.seeds[row], static_cast<uint64_t>(args.counters[row]));
    token = draw_truncated({logits, args.vocab, args.scale, moments.largest}, args.top_k, args.top_p, u);
  }
  if (threadIdx.x == 0) write(args, row, token, moments);
}

}  // namespace

int sample_rows_on_device(Launch where, const SampleRows& args) {
  const dim3 rows(static_cast<unsigned>(args.rows));
  const bool truncated = args.top_p < 1 || (args.top_k > 0 && args.top_k < args.vocab);
  if (truncated && !args.greedy) return launch(where, sample_truncated_kernel, rows, kThreads, args);
  const bool packed = aligned(4, args.logits, sizeof(float), args.vocab);
  return launch(where, packed ? sample_kernel<4> : sample_kernel<1>, rows, kThreads, args);
}

}  // namespace magic
