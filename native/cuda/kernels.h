#pragma once
// The kernel library's one exported symbol, `magic_grpo_kernels`, gives this table. It takes raw pointers and no torch
// types, so that one library serves every libtorch, and the addon works without it. Each call queues its kernels and
// returns a cudaError_t, 0 for success. Strides are in elements; matrices have unit stride along a row.

#include <cstdint>

#include "train/batch.h"

namespace magic {

enum class Element : int32_t { kFloat, kBFloat16 };

struct Launch {
  int32_t device;
  void* stream;  // cudaStream_t
};

// Rows of [outer, inner, dim]: row (o, i) begins at o * stride + i * dim.
struct RmsNorm {
  const void *x, *weight;
  void* y;  // may be x
  int64_t outer, inner, dim, x_stride, y_stride;
  float epsilon;
};

struct RmsNormBackward {
  const void *x, *weight, *d_y;
  void* d_x;             // may be d_y
  float* d_weight;       // [dim], added to; null: the weight is frozen
  float* partial;        // [kPartials, dim] scratch where d_weight is not null
  const void* residual;  // added to d_x; null: nothing
  int64_t outer, inner, dim, x_stride, d_y_stride, d_x_stride, residual_stride;
  float epsilon;

  static constexpr int64_t kPartials = 256, kLargestDim = 8192;
};

// heads [tokens, heads, 2 half] in place, a token `stride` after the other; cosine, sine [tokens, half].
struct Rotate {
  void* x;
  const float *cosine, *sine;
  int64_t tokens, heads, half, stride;
  bool inverse;
};

// gate_up [rows, 2 width] to y [rows, width], all contiguous.
struct Swiglu {
  const void* gate_up;
  void* y;
  int64_t rows, width;
};

struct SwigluBackward {
  const void *gate_up, *d_y;
  void* d_gate_up;
  int64_t rows, width;
};

// What a row of logits leaves for its gradient; z = logit * scale.
struct DeviceRow {
  float largest, log_sum, inverse_sum, entropy;  // max z; log S and 1 / S, S = sum e^(z - max); nats
};

struct RowsForward {
  const float* logits;  // [rows, vocab]
  const int32_t* targets;
  DeviceRow* statistics;
  float *logprobs, *entropy;
  int64_t rows, vocab;
  float scale;
};

// d loss / d logits in place of the logits: a row of bfloat16 begins where the row of float32 did.
struct RowsBackward {
  void* logits;
  const int32_t* targets;
  const DeviceRow* statistics;
  const float *g_logprob, *g_entropy;  // [rows]
  int64_t rows, vocab;
  float scale;
};

// One value a token, as in HeadTokens; null pointers stand for "absent".
struct SurrogateTokens {
  int64_t count;
  const float *logprobs, *entropy, *weights, *advantages, *old_logprobs, *reference_logprobs, *sampler_logprobs;
  const double *mean_log_ratios, *mean_corrections;
};

struct Surrogate {
  SurrogateTokens tokens;
  LossOptions options;
  float *g_logprob, *g_entropy;  // [count]
  double* sums;                  // [kSums], added to, in the order of HeadSums

  static constexpr int64_t kSums = 8;
};

// Means over the tokens of each sequence, to each of its tokens.
struct SequenceMeansOf {
  const float *logprobs, *old_logprobs, *sampler_logprobs;
  const int64_t* offsets;  // [sequences + 1]
  int64_t sequences;
  double cap;  // 0: no corrections
  double *mean_log_ratios, *mean_corrections;
};

struct SampleRows {
  const float* logits;      // [rows, vocab]
  const uint64_t* seeds;    // [rows]
  const int64_t* counters;  // [rows] index of the token in its sample
  int32_t* tokens;
  float *logprobs, *entropy;  // not finite where the logits are not
  int64_t rows, vocab, top_k;
  double top_p;
  float scale;
  bool greedy;
};

// Keys and values of new tokens, rows of `width` elements, into their slots of a layer's pools [slots, width]. A slot
// below 0 is nobody's: nothing is written.
struct StoreKeys {
  const void *keys, *values;
  void *key_pool, *value_pool;
  const int64_t* slots;
  int64_t tokens, width, stride;
};

// One query row a sequence over its cached positions, grouped-query.
struct DecodeAttention {
  const void *queries, *key_pool, *value_pool;
  void* output;            // [batch, heads dim]
  const int32_t* blocks;   // [batch, blocks_a_row] indices of blocks of `block_slots` slots
  const int32_t* lengths;  // 0: zeros come out
  float* partial;          // scratch: [batch, heads, splits, dim + 2], splits = ceil(longest / kSplit)
  int64_t batch, key_value_heads, group, dim, query_stride, blocks_a_row, block_slots, longest;

  // Positions that one block of threads takes: fixed, so that a sequence's result does not depend on its neighbours.
  static constexpr int64_t kSplit = 256;
  // Other head sizes have no kernel.
  static constexpr bool has(int64_t dim) { return dim == 64 || dim == 128; }
};

struct DeviceKernels {
  const char* digest;  // MAGIC_KERNELS_DIGEST, of this file and of what it includes
  bool on_cpu;         // an emulation that takes host pointers, for tests
  // null where this machine's driver and devices can run the library, else why not
  const char* (*unusable)();
  const char* (*describe)(int error);

  int (*rms_norm)(Launch, Element, const RmsNorm&);
  int (*rms_norm_backward)(Launch, Element, const RmsNormBackward&);
  int (*rotate)(Launch, Element, const Rotate&);
  int (*swiglu)(Launch, Element, const Swiglu&);
  int (*swiglu_backward)(Launch, Element, const SwigluBackward&);
  int (*rows_forward)(Launch, const RowsForward&);
  int (*rows_backward)(Launch, Element, const RowsBackward&);
  int (*surrogate)(Launch, const Surrogate&);
  int (*sequence_means)(Launch, const SequenceMeansOf&);
  int (*sample_rows)(Launch, const SampleRows&);
  int (*store_keys)(Launch, Element, const StoreKeys&);
  int (*decode_attention)(Launch, Element, const DecodeAttention&);

  // What is queued on a stream in between is recorded in place of being run; not on the default stream. `end` always
  // ends it, and gives a graph where all of it could be recorded, else null and an error.
  int (*begin_capture)(Launch);
  int (*end_capture)(Launch, void** graph);
  int (*replay)(Launch, void* graph);
  int (*drop_graph)(void* graph);
};

}  // namespace magic
