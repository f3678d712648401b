#include "policy/decoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/from_blob.h>

#include "cuda/device_kernels.h"
#include "policy/linear.h"
#include "policy/mlp.h"
#include "policy/norm.h"
#include "runtime/trace.h"

namespace magic {

namespace {

// The first `count` heads of qkv from head `first`, as [T, count, D].
at::Tensor heads_of(const Shape& shape, const at::Tensor& qkv, int64_t first, int64_t count) {
  return qkv.narrow(1, first * shape.head_dim, count * shape.head_dim).view({qkv.size(0), count, shape.head_dim});
}

at::Tensor layer_forward(const Shape& shape, LayerWeights& layer, int64_t index, const at::Tensor& input,
                         const Rope& rope, const Attend& attend, LayerSaved* saved) {
  const Span span("layer forward");
  const double epsilon = shape.rms_norm_epsilon;
  const int64_t q_heads = shape.head_count, kv_heads = shape.key_value_head_count;
  at::Tensor qkv = linear(rms_norm(input, layer.input_norm.value, epsilon), layer.qkv);
  if (shape.qk_norm) {
    if (saved) saved->raw_qkv = qkv.clone();
    const at::Tensor q = heads_of(shape, qkv, 0, q_heads), k = heads_of(shape, qkv, q_heads, kv_heads);
    q.copy_(rms_norm(q, layer.q_norm.value, epsilon));
    k.copy_(rms_norm(k, layer.k_norm.value, epsilon));
  }
  rotate(heads_of(shape, qkv, 0, q_heads + kv_heads), rope, false);
  const at::Tensor attended = attend(index, qkv, saved ? &saved->attention : nullptr);
  const at::Tensor middle = linear(attended, layer.output).add_(input);
  const at::Tensor gate_up = linear(rms_norm(middle, layer.mlp_norm.value, epsilon), layer.gate_up);
  if (saved) {
    saved->input = input;
    saved->qkv = qkv;
    saved->middle = middle;
    saved->gate_up = gate_up;
  }
  return linear(swiglu(gate_up), layer.down).add_(middle);
}

at::Tensor layer_backward(const Shape& shape, LayerWeights& layer, const Packing& packing, const Rope& rope,
                          LayerSaved& saved, const at::Tensor& d_y) {
  const Span span("layer backward");
  const double epsilon = shape.rms_norm_epsilon;
  const int64_t q_heads = shape.head_count, kv_heads = shape.key_value_head_count;

  at::Tensor d_gate_up = std::move(saved.gate_up);
  swiglu_backward(d_gate_up, linear_backward(swiglu(d_gate_up), layer.down, d_y));
  const at::Tensor d_mlp_normal =
      linear_backward(rms_norm(saved.middle, layer.mlp_norm.value, epsilon), layer.gate_up, d_gate_up);
  d_gate_up.reset();
  const at::Tensor d_middle =
      rms_norm_backward(saved.middle, layer.mlp_norm.value, epsilon, d_mlp_normal, layer.mlp_norm.gradient, d_y);

  const at::Tensor d_attended = linear_backward(saved.attention.output, layer.output, d_middle);
  const at::Tensor d_qkv = attention_backward(shape, packing, saved.qkv, saved.attention, d_attended);
  rotate(heads_of(shape, d_qkv, 0, q_heads + kv_heads), rope, true);
  if (shape.qk_norm) {
    const at::Tensor d_q = heads_of(shape, d_qkv, 0, q_heads), d_k = heads_of(shape, d_qkv, q_heads, kv_heads);
    d_q.copy_(rms_norm_backward(heads_of(shape, saved.raw_qkv, 0, q_heads), layer.q_norm.value, epsilon, d_q,
                                layer.q_norm.gradient));
    d_k.copy_(rms_norm_backward(heads_of(shape, saved.raw_qkv, q_heads, kv_heads), layer.k_norm.value, epsilon, d_k,
                                layer.k_norm.gradient));
  }
  const at::Tensor d_normal = linear_backward(rms_norm(saved.input, layer.input_norm.value, epsilon), layer.qkv, d_qkv);
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
    LayerSaved* layer_saved = saved && !saved->checkpointing ? &saved->layers[i] : nullptr;
    if (saved) saved->layers[i].input = hidden;
    hidden = layer_forward(shape, weights.layers[i], static_cast<int64_t>(i), hidden, rope, attend, layer_saved);
  }
  if (saved) saved->last = hidden;
  return rms_norm(hidden, weights.final_norm.value, shape.rms_norm_epsilon);
}

void decoder_backward(const Shape& shape, Weights& weights, const Packing& packing, const at::Tensor& tokens,
                      const Rope& rope, Activations& saved, const at::Tensor& d_hidden) {
  const Span span("backward");
  at::Tensor d_x = rms_norm_backward(saved.last, weights.final_norm.value, shape.rms_norm_epsilon, d_hidden,
                                     weights.final_norm.gradient);
  const Attend attend = packed_attention(shape, packing);
  for (int64_t i = static_cast<int64_t>(weights.layers.size()) - 1; i >= 0; i--) {
    LayerSaved& layer = saved.layers[i];
    if (saved.checkpointing) {
      layer_forward(shape, weights.layers[i], i, at::Tensor(layer.input), rope, attend, &layer);
    }
    d_x = layer_backward(shape, weights.layers[i], packing, rope, layer, d_x);
    layer = {};  // frees this layer's activations before the next is worked on
  }
  if (weights.embedding.gradient.defined()) weights.embedding.gradient.index_add_(0, tokens, d_x.to(at::kFloat));
}

}  // namespace magic
