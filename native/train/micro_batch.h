#pragma once
// One packing on its way through decoder and head.

#include <ATen/core/Tensor.h>

#include <vector>

#include "loss/head.h"
#include "policy/decoder.h"
#include "policy/packing.h"
#include "policy/rope.h"
#include "policy/weights.h"
#include "train/batch.h"

namespace magic {

class MicroBatch {
 public:
  MicroBatch(const Shape& shape, Weights& weights, const Packing& packing);

  // Hidden states of the rows that predict a response token, [response tokens, H].
  at::Tensor forward(Activations* saved) const;
  // d of what forward gave.
  void backward(Activations& saved, at::Tensor d_rows) const;

 private:
  const Shape& shape_;
  Weights& weights_;
  const Packing& packing_;
  at::Tensor tokens_, rows_;
  Rope rope_;
};

// What the head needs of a packing's response tokens; the rest of them is in the packing and the batch.
struct PackedTokens {
  PackedTokens(const Packing& packing, const TrainingBatch& batch, const std::vector<float>& weights);
  // Points into this and into the packing.
  HeadTokens view() const;

  const Packing& packing;
  std::vector<float> weights, advantages, old_logprobs, reference_logprobs, sampler_logprobs;
};

}  // namespace magic
