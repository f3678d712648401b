#pragma once
// Sequences on one token axis, as the decoder sees them. A prompt that consecutive sequences share stands there once;
// each response is a segment of its own that attends to the prompt's segment and to itself.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "policy/segment.h"
#include "train/batch.h"

namespace magic {

// Rows of one attention block at most: its scores are [Hq, rows, keys].
constexpr int64_t kAttentionBlockRows = 256;

// Query rows [begin, end) against key rows [prefix_begin, prefix_end) and [key_begin, end). Either all rows are of one
// segment or the block starts with whole segments: keys before `begin` are seen by every row, the mask is for the rest.
struct AttentionBlock {
  int64_t begin, end;
  int64_t prefix_begin, prefix_end;
  int64_t key_begin;
  // [end - begin, end - begin] additive mask of the last keys, 0 or -inf, float32 on the policy's device
  at::Tensor mask;
};

struct Packing {
  std::vector<int64_t> token_ids;  // [T]
  std::vector<int64_t> positions;  // [T]
  std::vector<Segment> segments;
  std::vector<AttentionBlock> blocks;

  // For each response token: the row whose hidden state predicts it, and its index in [0, R) of the whole batch.
  std::vector<int64_t> rows;
  std::vector<int64_t> response_indices;
  std::vector<int32_t> targets;
  std::vector<int32_t> sequences;  // the token's sequence in the batch

  int64_t token_count() const { return static_cast<int64_t>(token_ids.size()); }
  // Appends a segment of tokens; its last row is included.
  void append(const int32_t* tokens, int64_t count, int64_t first_position, int64_t prefix_begin, int64_t prefix_end);
  // Keeps the response tokens of the batch whose `mask` [R] is not 0 (empty: all); the rows they attend to stay.
  void keep(const std::vector<float>& mask);
  // Cuts the segments into blocks of bounded size and builds their masks. The CPU's tiles do without.
  void build_blocks(at::Device device);
};

// Whether so many rows, and response tokens predicted by them, may go into one packing.
using Fits = std::function<bool(int64_t rows, int64_t responses)>;

// Splits a batch into packings that fit (one sequence at least), sequences in order. The last token of a response is
// never a row: nothing is predicted from it. Without blocks, whose masks lie on the device: they are built when a
// packing's turn comes.
std::vector<Packing> pack(const Batch& batch, const Fits& fits, bool share_prompts);

}  // namespace magic
