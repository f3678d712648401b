// Attention of one new token a sequence over its cached blocks, the twin of decode_attention.cc. A block of threads
// takes one sequence, the query heads of one key-value head, and kSplit positions; a second kernel merges the splits
// (Flash-Decoding, Dao et al. 2023).

#include <algorithm>
#include <cmath>

#include "cuda/element.cuh"
#include "cuda/functions.h"
#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"

namespace magic {

namespace {

constexpr int kThreads = 128, kWarps = kThreads / kWarp;
// Below any score; finite, so that differences are.
constexpr float kNothing = -1e30f;

struct Arguments {
  DecodeAttention call;
  int64_t splits;
  int chunks;  // of kGroup query heads a key-value head
  float scale;
};

// Softmax-weighted sum of some positions: what `weighted / sum` is of all of them, relative to e^largest.
template <int kElements>
struct Partial {
  float largest = kNothing, sum = 0, weighted[kElements] = {};

  __device__ __forceinline__ void raise(float to) {
    const float factor = expf(largest - to);
    sum *= factor;
    for (int e = 0; e < kElements; e++) weighted[e] *= factor;
    largest = to;
  }
};

// `kLanes` neighbouring lanes hold one position's vector, 16 bytes each. kUnroll positions are loaded ahead.
template <class T, int kDim, int kGroup>
__global__ void __launch_bounds__(kThreads) decode_attention_kernel(const Arguments args) {
  constexpr int kElements = kPack<T>, kLanes = kDim / kElements, kWorkers = kThreads / kLanes, kUnroll = 4;
  using Values = Pack<T, kElements>;
  __shared__ float of_warp[kWarps][kGroup][kDim], largest_of[kWarps][kGroup], sum_of[kWarps][kGroup];

  const DecodeAttention& call = args.call;
  const int64_t sequence = blockIdx.x;
  const int head = static_cast<int>(blockIdx.y) / args.chunks,
            first = static_cast<int>(blockIdx.y) % args.chunks * kGroup;
  const int split = static_cast<int>(blockIdx.z), length = call.lengths[sequence];
  const int begin = split * static_cast<int>(DecodeAttention::kSplit);
  if (begin >= length && split > 0) return;
  const int end = min(length, begin + static_cast<int>(DecodeAttention::kSplit));
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int worker = threadIdx.x / kLanes, element = threadIdx.x % kLanes * kElements;
  const int group = static_cast<int>(call.group), heads = static_cast<int>(call.key_value_heads) * group;
  const int heads_here = min(kGroup, group - first);

  float query[kGroup][kElements];
#pragma unroll
  for (int g = 0; g < kGroup; g++) {
    const T* row = static_cast<const T*>(call.queries) + sequence * call.query_stride +
                   static_cast<int64_t>(head * group + first + g) * kDim + element;
    for (int e = 0; e < kElements; e++) query[g][e] = g < heads_here ? to_float(row[e]) * args.scale : 0.0f;
  }

  const int32_t* blocks = call.blocks + sequence * call.blocks_a_row;
  const int slots = static_cast<int>(call.block_slots);
  const int64_t row_packs = call.key_value_heads * kLanes, column = head * kLanes + threadIdx.x % kLanes;
  const Values *key_pool = static_cast<const Values*>(call.key_pool) + column,
               *value_pool = static_cast<const Values*>(call.value_pool) + column;
  Partial<kElements> partials[kGroup];
  // All lanes of a warp make the same number of rounds: they exchange values.
  for (int base = begin; base < end; base += kWorkers * kUnroll) {
    Values keys[kUnroll] = {}, values[kUnroll] = {};
#pragma unroll
    for (int j = 0; j < kUnroll; j++) {
      const int position = base + j * kWorkers + worker;
      if (position >= end) continue;
      const int64_t slot = static_cast<int64_t>(blocks[position / slots]) * slots + position % slots;
      keys[j] = key_pool[slot * row_packs];
      values[j] = value_pool[slot * row_packs];
    }
#pragma unroll
    for (int g = 0; g < kGroup; g++) {
      float scores[kUnroll], largest = partials[g].largest;
      for (int j = 0; j < kUnroll; j++) {
        float dot = 0;
        for (int e = 0; e < kElements; e++) dot += query[g][e] * to_float(keys[j].values[e]);
        for (int offset = kLanes / 2; offset > 0; offset /= 2) dot += __shfl_xor_sync(kAllLanes, dot, offset);
        scores[j] = dot;
        if (base + j * kWorkers + worker < end && dot > largest) largest = dot;
      }
      partials[g].raise(largest);
      for (int j = 0; j < kUnroll; j++) {
        const float p = base + j * kWorkers + worker < end ? expf(scores[j] - largest) : 0.0f;
        partials[g].sum += p;
        for (int e = 0; e < kElements; e++) partials[g].weighted[e] += p * to_float(values[j].values[e]);
      }
    }
  }

#pragma unroll
  for (int g = 0; g < kGroup; g++) {
    for (int offset = kLanes; offset < static_cast<int>(kWarp); offset *= 2) {
      Partial<kElements> other;
      other.largest = __shfl_xor_sync(kAllLanes, partials[g].largest, offset);
      other.sum = __shfl_xor_sync(kAllLanes, partials[g].sum, offset);
      for (int e = 0; e < kElements; e++) {
        other.weighted[e] = __shfl_xor_sync(kAllLanes, partials[g].weighted[e], offset);
      }
      const float largest = fmaxf(partials[g].largest, other.largest);
      partials[g].raise(largest);
      other.raise(largest);
      partials[g].sum += other.sum;
      for (int e = 0; e < kElements; e++) partials[g].weighted[e] += other.weighted[e];
    }
    if (lane < kLanes) {
      for (int e = 0; e < kElements; e++) of_warp[warp][g][element + e] = partials[g].weighted[e];
      if (lane == 0) {
        largest_of[warp][g] = partials[g].largest;
        sum_of[warp][g] = partials[g].sum;
      }
    }
  }
  __syncthreads();

  for (int i = threadIdx.x; i < heads_here * kDim; i += kThreads) {
    const int g = i / kDim, dim = i % kDim;
    float largest = kNothing, sum = 0, weighted = 0;
    for (int w = 0; w < kWarps; w++) largest = fmaxf(largest, largest_of[w][g]);
    for (int w = 0; w < kWarps; w++) {
      const float factor = expf(largest_of[w][g] - largest);
      sum += sum_of[w][g] * factor;
      weighted += of_warp[w][g][dim] * factor;
    }
    const int64_t row = sequence * heads + head * group + first + g;
    if (args.splits == 1) {
      static_cast<T*>(call.output)[row * kDim + dim] = to_element<T>(length == 0 ? 0.0f : weighted / sum);
    } else {
      float* partial = call.partial + (row * args.splits + split) * (kDim + 2);
      partial[dim] = weighted;
      if (dim == 0) {
        partial[kDim] = largest;
        partial[kDim + 1] = sum;
      }
    }
  }
}

// A block takes one sequence's head, a thread one of its elements.
template <class T>
__global__ void __launch_bounds__(kThreads) merge_splits_kernel(const Arguments args) {
  const DecodeAttention& call = args.call;
  const int64_t heads = call.key_value_heads * call.group, row = blockIdx.x;
  const int dim = static_cast<int>(call.dim);
  const int64_t splits = (call.lengths[row / heads] + DecodeAttention::kSplit - 1) / DecodeAttention::kSplit;
  const float* partials = call.partial + row * args.splits * (dim + 2);
  for (int i = threadIdx.x; i < dim; i += blockDim.x) {
    float largest = kNothing, sum = 0, weighted = 0;
    for (int64_t s = 0; s < splits; s++) largest = fmaxf(largest, partials[s * (dim + 2) + dim]);
    for (int64_t s = 0; s < splits; s++) {
      const float* partial = partials + s * (dim + 2);
      const float factor = expf(partial[dim] - largest);
      sum += partial[dim + 1] * factor;
      weighted += partial[i] * factor;
    }
    static_cast<T*>(call.output)[row * dim + i] = to_element<T>(splits == 0 ? 0.0f : weighted / sum);
  }
}

template <class T, int kDim, int kGroup>
int attend(Launch where, Arguments args) {
  const DecodeAttention& call = args.call;
  args.chunks = static_cast<int>(blocks_for<int64_t>(call.group, kGroup));
  const dim3 blocks(static_cast<unsigned>(call.batch), static_cast<unsigned>(call.key_value_heads * args.chunks),
                    static_cast<unsigned>(args.splits));
  const int error = launch(where, decode_attention_kernel<T, kDim, kGroup>, blocks, kThreads, args);
  if (error != cudaSuccess || args.splits == 1) return error;
  const dim3 rows(static_cast<unsigned>(call.batch * call.key_value_heads * call.group));
  return launch(where, merge_splits_kernel<T>, rows, kDim, args);
}

template <class T, int kDim>
int attend_group(Launch where, const Arguments& args) {
  if (args.call.group == 1) return attend<T, kDim, 1>(where, args);
  if (args.call.group <= 4) return attend<T, kDim, 4>(where, args);
  return attend<T, kDim, 8>(where, args);
}

}  // namespace

int decode_attention_on_device(Launch where, Element element, const DecodeAttention& call) {
  const int64_t splits = (call.longest + DecodeAttention::kSplit - 1) / DecodeAttention::kSplit;
  const Arguments args{call, splits, 1, static_cast<float>(1.0 / std::sqrt(static_cast<double>(call.dim)))};
  return with_element(element, [&](auto type) -> int {
    using T = decltype(type);
    if (call.dim == 64) return attend_group<T, 64>(where, args);
    if (call.dim == 128) return attend_group<T, 128>(where, args);
    return cudaErrorInvalidValue;
  });
}

}  // namespace magic
