#include "policy/decoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/from_blob.h>

#include <utility>

#include "cuda/device_kernels.h"
#include "policy/linear.h"
#include "policy/mlp.h"
#include "policy/norm.h"
#include "runtime/block_heap.h"
#include "runtime/trace.h"

namespace magic {

namespace {

// The first `count` heads of qkv from head `first`, as [T, count, D].
at::Tensor heads_of(const Shape& shape, const at::Tensor& qkv, int64_t first, int64_t count) {
  return qkv.narrow(1, first * shape.head_dim, count * shape.head_dim).view({qkv.size(0), count, shape.head_dim});
}

// Norms q and k where the model does, and rotates them, in place.
void finish_qkv(const Shape& shape, const LayerWeights& layer, const at::Tensor& qkv, const Rope& rope) {
  const int64_t q_heads = shape.head_count, kv_heads = shape.key_value_head_count;
  if (shape.qk_norm) {
    const at::Tensor q = heads_of(shape, qkv, 0, q_heads), k = heads_of(shape, qkv, q_heads, kv_heads);
    q.copy_(rms_norm(q, layer.q_norm.value, shape.rms_norm_epsilon));
    k.copy_(rms_norm(k, layer.k_norm.value, shape.rms_norm_epsilon));
  }
  rotate(heads_of(shape, qkv, 0, q_heads + kv_heads), rope, false);
}

// The layer's first half: what stands after the attention's residual, [T, H].
at::Tensor middle_of(const Shape& shape, const LayerWeights& layer, int64_t index, const at::Tensor& input,
                     const Rope& rope, const Attend& attend, LayerSaved* saved) {
  at::Tensor qkv = linear(rms_norm(input, layer.input_norm.value, shape.rms_norm_epsilon), layer.qkv);
  if (saved) saved->qkv = shape.qk_norm ? qkv.clone() : qkv;
  finish_qkv(shape, layer, qkv, rope);
  const at::Tensor attended = attend(index, qkv, saved ? &saved->attention : nullptr);
  qkv.reset();
  return linear(attended, layer.output).add_(input);
}

at::Tensor gate_up_of(const Shape& shape, const LayerWeights& layer, const at::Tensor& middle) {
  return linear(rms_norm(middle, layer.mlp_norm.value, shape.rms_norm_epsilon), layer.gate_up);
}

at::Tensor layer_forward(const Shape& shape, const LayerWeights& layer, int64_t index, const at::Tensor& input,
                         const Rope& rope, const Attend& attend, Recompute recompute, LayerSaved* saved) {
  const Span span("layer forward");
  if (saved) saved->input = input;
  LayerSaved* keep = recompute == Recompute::kLayer ? nullptr : saved;
  const at::Tensor middle = middle_of(shape, layer, index, input, rope, attend, keep);
  at::Tensor gate_up = gate_up_of(shape, layer, middle);
  if (keep) {
    keep->middle = middle;
    if (recompute == Recompute::kNothing) keep->gate_up = gate_up;
  }
  const at::Tensor product = swiglu(gate_up);
  gate_up.reset();
  return linear(product, layer.down).add_(middle);
}

// d middle [T, H] from d y [T, H].
at::Tensor mlp_backward(const Shape& shape, LayerWeights& layer, LayerSaved& saved, const at::Tensor& d_y) {
  const double epsilon = shape.rms_norm_epsilon;
  at::Tensor d_gate_up = std::move(saved.gate_up);
  swiglu_backward(d_gate_up, linear_backward(swiglu(d_gate_up), layer.down, d_y));
  const at::Tensor d_normal =
      linear_backward(rms_norm(saved.middle, layer.mlp_norm.value, epsilon), layer.gate_up, d_gate_up);
  d_gate_up.reset();
  return rms_norm_backward(saved.middle, layer.mlp_norm.value, epsilon, d_normal, layer.mlp_norm.gradient, d_y);
}

// d qkv [T, (Hq + 2 Hkv) D], before norms and rotation, from d middle [T, H].
at::Tensor attention_half_backward(const Shape& shape, LayerWeights& layer, const Packing& packing, const Rope& rope,
                                   const LayerSaved& saved, const at::Tensor& d_middle) {
  const double epsilon = shape.rms_norm_epsilon;
  const int64_t q_heads = shape.head_count, kv_heads = shape.key_value_head_count;
  at::Tensor qkv = saved.qkv;
  if (shape.qk_norm) finish_qkv(shape, layer, qkv = qkv.clone(), rope);
  const at::Tensor d_attended = linear_backward(saved.attention.output, layer.output, d_middle);
  at::Tensor d_qkv = attention_backward(shape, packing, qkv, saved.attention, d_attended);
  rotate(heads_of(shape, d_qkv, 0, q_heads + kv_heads), rope, true);
  if (shape.qk_norm) {
    const at::Tensor d_q = heads_of(shape, d_qkv, 0, q_heads), d_k = heads_of(shape, d_qkv, q_heads, kv_heads);
    d_q.copy_(rms_norm_backward(heads_of(shape, saved.qkv, 0, q_heads), layer.q_norm.value, epsilon, d_q,
                                layer.q_norm.gradient));
    d_k.copy_(rms_norm_backward(heads_of(shape, saved.qkv, q_heads, kv_heads), layer.k_norm.value, epsilon, d_k,
                                layer.k_norm.gradient));
  }
  return d_qkv;
}

// d x [T, H] from d y [T, H]; uses up what is saved.
at::Tensor layer_backward(const Shape& shape, LayerWeights& layer, const Packing& packing, const Rope& rope,
                          LayerSaved saved, at::Tensor d_y) {
  const Span span("layer backward");
  const double epsilon = shape.rms_norm_epsilon;
  at::Tensor d_middle = mlp_backward(shape, layer, saved, d_y);
  d_y.reset();
  saved.middle.reset();
  at::Tensor d_qkv = attention_half_backward(shape, layer, packing, rope, saved, d_middle);
  saved.qkv.reset();
  saved.attention = {};
  const at::Tensor d_normal = linear_backward(rms_norm(saved.input, layer.input_norm.value, epsilon), layer.qkv, d_qkv);
  d_qkv.reset();
  return rms_norm_backward(saved.input, layer.input_norm.value, epsilon, d_normal, layer.input_norm.gradient, d_middle);
}

}  // namespace

at::Tensor token_tensor(const std::vector<int64_t>& token_ids, at::Device device) {
  const auto count = static_cast<int64_t>(token_ids.size());
  return upload(at::from_blob(const_cast<int64_t*>(token_ids.data()), {count}, at::kLong), device);
}

Attend packed_attention(const Shape& shape, const Packing& packing) {
  return [&shape, &packing](int64_t, const at::Tensor& qkv, AttentionSaved* saved) {
    return attention_forward(shape, packing, qkv, saved);
  };
}

at::Tensor decoder_forward(const Shape& shape, Weights& weights, const at::Tensor& tokens, const Rope& rope,
                           const Attend& attend, Activations* saved) {
  const Span span("forward");
  at::Tensor hidden = at::embedding(weights.embedding.value, tokens);
  if (saved) saved->layers.assign(weights.layers.size(), {});
  for (size_t i = 0; i < weights.layers.size(); i++) {
    const auto index = static_cast<int64_t>(i);
    hidden = layer_forward(shape, weights.layers[i], index, hidden, rope, attend,
                           saved ? saved->plan.of(index) : Recompute::kNothing, saved ? &saved->layers[i] : nullptr);
  }
  if (saved) saved->last = hidden;
  return rms_norm(hidden, weights.final_norm.value, shape.rms_norm_epsilon);
}

void decoder_backward(const Shape& shape, Weights& weights, const Packing& packing, const at::Tensor& tokens,
                      const Rope& rope, Activations& saved, at::Tensor d_hidden) {
  const Span span("backward");
  at::Tensor d_x = rms_norm_backward(saved.last, weights.final_norm.value, shape.rms_norm_epsilon, d_hidden,
                                     weights.final_norm.gradient);
  saved.last.reset();
  d_hidden.reset();
  const Attend attend = packed_attention(shape, packing);
  const bool memory_is_short =
      saved.plan.layers + saved.plan.mlps > 0 && weights.device.is_cpu() && weights.adapters().empty();
  for (int64_t i = static_cast<int64_t>(weights.layers.size()) - 1; i >= 0; i--) {
    LayerWeights& layer = weights.layers[i];
    LayerSaved of_layer = std::exchange(saved.layers[i], {});
    if (!of_layer.middle.defined()) {
      const Span again("recompute");
      of_layer.middle = middle_of(shape, layer, i, of_layer.input, rope, attend, &of_layer);
    }
    if (!of_layer.gate_up.defined()) {
      const Span again("recompute");
      of_layer.gate_up = gate_up_of(shape, layer, of_layer.middle);
    }
    d_x = layer_backward(shape, layer, packing, rope, std::move(of_layer), std::move(d_x));
    // Gradients take the place of activations.
    if (memory_is_short) trim_block_heap();
  }
  if (weights.embedding.gradient.defined()) weights.embedding.gradient.index_add_(0, tokens, d_x.to(at::kFloat));
}

}  // namespace magic
