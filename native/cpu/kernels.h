#pragma once
// The policy's kernels for the CPU, on plain pointers. Compiled once for each instruction set; the processor chooses
// when they are first asked for. T is float32 or bfloat16.

#include <c10/util/BFloat16.h>

#include <cstdint>
#include <vector>

namespace magic {

struct Segment;

// Attention works on tiles of this many query rows and keys: the scores of a tile stay in the cache.
constexpr int64_t kAttentionTile = 64;

// Query rows [begin, end) of a segment, at most kAttentionTile.
struct RowTile {
  int64_t begin, end;
  const Segment* segment;
};

// Keys and values of one key-value head of T tokens, along: each token's row; and across: where the rows [begin, end)
// of a tile would be in [T, D], its transpose [D, end - begin]. The room behind the last one may be read in whole
// vectors.
struct HeadKeys {
  const float *keys, *values;                // [T, width]
  const float *keys_across, *values_across;  // [T D]
  int64_t dim, width;
};

// Room for one tile: scores and d_scores [kAttentionTile, kAttentionTile], the others [kAttentionTile, width].
struct TileScratch {
  float *scores, *d_scores, *queries, *out, *d_out;
};

// The GEMM of few rows works on so many rows of W and so much of the inner axis at a time.
constexpr int64_t kGemmPanel = 48, kGemmInner = 640;
// Room of a panel of results, a row of x.
constexpr int64_t kGemmPanelRoom = kGemmPanel + 4;

// x [rows, in] and W [out, in] to y [rows, out]. The inner axis is worked off in slices of at most kGemmInner; slice i
// of x starts at x + i x_slice, its rows x_stride apart. panel: room for kGemmPanelRoom floats a row.
struct GemmRows {
  const float* x;
  int64_t x_stride, x_slice;
  int64_t rows, in, slice;
  const void* weight;
  int64_t out;
  float *y, *panel;
};

// The GEMM with rows of x across the lanes works on so many rows of W and of x at a time, at most.
constexpr int64_t kLanePanel = 48, kLaneColumns = 32;

// x [rows, in] and W [out, in] to y [rows, out]. x is packed, kLaneColumns rows after the other, by pack.lanes.
struct LaneRows {
  const float* x;
  int64_t rows, in;
  const float* weight;
  int64_t out;
  float* y;
};

// Products by block kernels are made of blocks of at most so many rows of the one operand and of the other.
constexpr int64_t kProductRows = 128, kProductPanel = 64;

// Attention while decoding works on the KV cache's blocks of this many slots.
constexpr int64_t kAttentionBlock = 16;

// Keys and values of one key-value head in one block, `stride` elements from slot to slot; the first `count` slots are
// filled. next_keys and next_values: the block that comes next, or null.
template <typename T>
struct CacheBlock {
  const T *keys, *values;
  int64_t stride, count;
  const T *next_keys, *next_values;
};

// Single queries, times 1 / sqrt(D), and their sums so far: out [rows, width] of values by weight, the weights' sum,
// and the largest score, to which the weights are relative. width: D, rounded up to whole vectors of 16.
struct DecodeRows {
  const float* queries;
  float *out, *largest, *sum;
  int64_t dim, width;
};

template <typename T>
struct RowKernels {
  // y = x / rms(x) * weight
  void (*norm)(const T* x, const T* weight, T* y, int64_t dim, double epsilon);
  // d_x = residual + what d_y leaves; d_weight and residual may be null
  void (*norm_backward)(const T* x, const T* weight, const T* d_y, const T* residual, T* d_x, float* d_weight,
                        int64_t dim, double epsilon);
  // y = silu(gate) * up
  void (*swiglu)(const T* gate, const T* up, T* y, int64_t width);
  // d gate and d up in place of gate and up
  void (*swiglu_backward)(T* gate, T* up, const T* d_y, int64_t width);
  // the pairs (head[i], head[half + i]), by angles of these cosines and sign times these sines
  void (*rotate)(T* head, const float* cosine, const float* sine, int64_t half, float sign);
  // y for the rows [begin, end) of W, at most kGemmPanel; `next`: the row that this thread goes on with
  void (*gemm_panel)(const GemmRows& work, int64_t begin, int64_t end, int64_t next);
  // adds a block to the sums of the rows [begin, end)
  void (*attend_block)(const DecodeRows& rows, int64_t begin, int64_t end, const CacheBlock<T>& block);
  // logits to exp(z) (a + b z), z = logit * scale - largest; `out` may be the logits
  void (*logit_gradient)(const float* logits, int64_t count, float scale, float largest, float a, float b, T* out);
  // c [rows, columns], a block of a product, to its transpose in y [columns, rows]
  void (*store_across)(const float* c, int64_t stride, int64_t rows, int64_t columns, T* y, int64_t y_stride);
};

// Operands of products across the lanes and of blocks; blocks of bfloat16 in pairs [inner / 2, width, 2], as the
// instructions take them.
struct PackKernels {
  // rows of x [columns, in], at most kLaneColumns, to panels across, filled up with zeros to whole vectors
  void (*lanes)(const float* x, int64_t columns, int64_t in, float* panels);
  // x [columns, inner] to its transpose [inner, width]; of bfloat16 a pair counts as one
  void (*across)(const float* x, int64_t stride, int64_t columns, int64_t inner, float* packed, int64_t width);
  // b [inner, width]; an odd inner axis is filled up with zeros
  void (*along)(const c10::BFloat16* b, int64_t stride, int64_t inner, int64_t width, c10::BFloat16* pairs);
  // not in pairs: a [rows, columns] to its transpose
  void (*transpose)(const c10::BFloat16* a, int64_t stride, int64_t rows, int64_t columns, c10::BFloat16* out,
                    int64_t out_stride);
};

// A row of logits is looked at in blocks of this many; the last one may be shorter.
constexpr int64_t kLogitBlock = 960;

// Of z = logit * scale in one block: max z, sum exp(z - max), sum exp(z - max) (z - max).
struct LogitBlock {
  float largest, sum, weighted;
};

struct Kernels {
  RowKernels<float> float32;
  RowKernels<c10::BFloat16> bfloat16;
  PackKernels pack;
  // y for the rows [begin, end) of W, at most kLanePanel; `next`: the row that this thread goes on with
  void (*lane_gemm_panel)(const LaneRows& work, int64_t begin, int64_t end, int64_t next);
  // scratch.out = attention of scratch.queries (times 1 / sqrt(D)) for the rows of a tile; logsum [rows] the
  // log-sum-exp of their scores
  void (*attend)(const RowTile& tile, const HeadKeys& head, float* logsum, const TileScratch& scratch);
  // scratch.out = d queries, from scratch.queries, scratch.d_out, the forward's logsum and dots = sum(d out * out)
  // [rows]; adds to d_keys and d_values [T, width]
  void (*attend_backward)(const RowTile& tile, const HeadKeys& head, float scale, const float* logsum,
                          const float* dots, float* d_keys, float* d_values, const TileScratch& scratch);
  // logits [count] to their blocks
  void (*scan_logits)(const float* logits, int64_t count, float scale, LogitBlock* blocks);
  // weights = exp(logits * scale - largest), where none of them is above `largest`
  void (*logit_weights)(const float* logits, int64_t count, float scale, float largest, float* weights);

  template <typename T>
  const RowKernels<T>& rows() const {
    if constexpr (sizeof(T) == sizeof(float)) {
      return float32;
    } else {
      return bfloat16;
    }
  }
};

const Kernels& kernels();

// Whether the processor has 512-bit vectors, of floats and of what is narrower.
bool has_wide_vectors();

// Every variant of them that this processor has, the best one last.
struct KernelVariant {
  const char* name;
  const Kernels* kernels;
};
std::vector<KernelVariant> kernel_variants();

}  // namespace magic
