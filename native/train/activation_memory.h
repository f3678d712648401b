#pragma once
// How many bytes a micro-batch takes: what the decoder keeps, what it works with, and the head. The one place that
// knows what policy/ and loss/ hold at once; test/native/memory.test.ts holds it against the process.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "policy/recompute.h"
#include "policy/shape.h"

namespace magic {

// How a micro-batch saves memory.
struct MicroBatchPlan {
  RecomputePlan recompute;
  int64_t logit_rows;  // that the head has at once, at most
};

// Beside weights, gradients and optimizer states. `rows` go through the layers, `responses` of them predict a token.
class ActivationMemory {
 public:
  // trains_head: the output embedding has a gradient; false with adapters.
  ActivationMemory(const Shape& shape, at::Device device, at::ScalarType dtype, bool trains_head);

  // Most bytes of a forward and backward.
  int64_t training(int64_t rows, int64_t responses, MicroBatchPlan plan) const;
  // Most bytes of a forward alone, with so many rows of logits at once.
  int64_t scoring(int64_t rows, int64_t responses, int64_t logit_rows) const;

  // As many rows of logits as are worth it.
  int64_t ample_logit_rows() const { return ample_logit_rows_; }
  // Every layer computed again.
  MicroBatchPlan everything() const { return {{shape_.layer_count, 0}, ample_logit_rows()}; }
  // What takes the fewest bytes.
  MicroBatchPlan least() const;
  // The least recomputation that keeps a micro-batch within `budget` bytes, and where that does not, fewer rows of
  // logits at once; least() where nothing does.
  MicroBatchPlan plan(int64_t rows, int64_t responses, int64_t budget, bool recompute_everything) const;
  // The most rows of logits with which a forward alone does.
  int64_t scoring_logit_rows(int64_t rows, int64_t responses, int64_t budget) const;

 private:
  // Bytes a row.
  struct LayerBytes {
    int64_t kept;      // for the backward, the layer's input included
    int64_t forward;   // most at once in the forward, what is kept included
    int64_t backward;  // most at once in the backward, what is kept included
  };
  LayerBytes layer(Recompute recompute) const;
  int64_t attention_work(bool backward) const;  // bytes a row
  int64_t masks(int64_t rows) const;
  int64_t attention_blocks(int64_t rows) const;
  int64_t copies(int64_t rows) const;
  int64_t head(int64_t responses, int64_t logit_rows, bool backward) const;

  Shape shape_;
  bool cpu_, low_;  // low_: values of two bytes
  bool widens_;     // products take float32 copies
  bool trains_head_;
  int64_t ample_logit_rows_;
  int64_t hidden_, attended_, qkv_, inner_, logsum_;  // bytes a row
};

}  // namespace magic
