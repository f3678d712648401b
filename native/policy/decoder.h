#pragma once
// The decoder: embedding, layers, final norm; forward with what the backward needs, and the backward.

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "policy/attention.h"
#include "policy/packing.h"
#include "policy/recompute.h"
#include "policy/rope.h"
#include "policy/shape.h"
#include "policy/weights.h"

namespace magic {

// What a plan computes again is undefined until the backward comes to it.
struct LayerSaved {
  at::Tensor input;  // [T, H]
  at::Tensor qkv;    // rotated; where q and k have norms, before these: the backward norms and rotates again
  AttentionSaved attention;
  at::Tensor middle;   // [T, H] after the attention's residual
  at::Tensor gate_up;  // [T, 2 I]
};

struct Activations {
  RecomputePlan plan;
  std::vector<LayerSaved> layers;
  at::Tensor last;  // [T, H] input of the final norm
};

// Attention of one layer: (layer, rotated qkv [T, (Hq + 2 Hkv) D], where to save) to [T, Hq D].
using Attend = std::function<at::Tensor(int64_t, const at::Tensor&, AttentionSaved*)>;

// tokens [T] int64 on the device, to hidden states [T, H] after the final norm. `saved` may be null.
at::Tensor decoder_forward(const Shape& shape, Weights& weights, const at::Tensor& tokens, const Rope& rope,
                           const Attend& attend, Activations* saved);

// d hidden [T, H]; adds to the gradients of every trained parameter but the head. Frees both as it goes.
void decoder_backward(const Shape& shape, Weights& weights, const Packing& packing, const at::Tensor& tokens,
                      const Rope& rope, Activations& saved, at::Tensor d_hidden);

// The forward of a packing, attention over its own blocks.
Attend packed_attention(const Shape& shape, const Packing& packing);

// [T] int64 on the device.
at::Tensor token_tensor(const std::vector<int64_t>& token_ids, at::Device device);

}  // namespace magic
