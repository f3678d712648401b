#include "policy/weights.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

namespace magic {

namespace {

Parameter allocate(at::IntArrayRef shape, const Weights& weights) {
  Parameter parameter;
  parameter.value = at::empty(shape, at::TensorOptions().device(weights.device).dtype(weights.dtype));
  if (weights.dtype == at::kFloat) parameter.master = parameter.value;
  return parameter;
}

}  // namespace

Weights allocate_weights(const Shape& shape, at::Device device, at::ScalarType dtype) {
  Weights weights;
  weights.device = device;
  weights.dtype = dtype;
  const int64_t hidden = shape.hidden_size;
  const int64_t q_rows = shape.head_count * shape.head_dim;
  const int64_t qkv_rows = q_rows + 2 * shape.key_value_head_count * shape.head_dim;
  weights.embedding = allocate({shape.vocab_size, hidden}, weights);
  for (int64_t i = 0; i < shape.layer_count; i++) {
    LayerWeights& layer = weights.layers.emplace_back();
    layer.input_norm = allocate({hidden}, weights);
    layer.qkv = allocate({qkv_rows, hidden}, weights);
    if (shape.qkv_bias) layer.qkv_bias = allocate({qkv_rows}, weights);
    if (shape.qk_norm) {
      layer.q_norm = allocate({shape.head_dim}, weights);
      layer.k_norm = allocate({shape.head_dim}, weights);
    }
    layer.output = allocate({hidden, q_rows}, weights);
    if (shape.output_bias) layer.output_bias = allocate({hidden}, weights);
    layer.mlp_norm = allocate({hidden}, weights);
    layer.gate_up = allocate({2 * shape.intermediate_size, hidden}, weights);
    layer.down = allocate({hidden, shape.intermediate_size}, weights);
    if (shape.mlp_bias) {
      layer.gate_up_bias = allocate({2 * shape.intermediate_size}, weights);
      layer.down_bias = allocate({hidden}, weights);
    }
  }
  weights.final_norm = allocate({hidden}, weights);
  if (!shape.tie_word_embeddings) weights.lm_head = allocate({shape.vocab_size, hidden}, weights);
  return weights;
}

std::vector<Parameter*> Weights::parameters() {
  std::vector<Parameter*> all{&embedding};
  for (LayerWeights& layer : layers) {
    for (Parameter* parameter :
         {&layer.input_norm, &layer.qkv, &layer.qkv_bias, &layer.q_norm, &layer.k_norm, &layer.output,
          &layer.output_bias, &layer.mlp_norm, &layer.gate_up, &layer.gate_up_bias, &layer.down, &layer.down_bias}) {
      if (parameter->defined()) all.push_back(parameter);
    }
  }
  all.push_back(&final_norm);
  if (lm_head.defined()) all.push_back(&lm_head);
  return all;
}

std::vector<NamedSlice> Weights::slices(const Shape& shape) {
  const int64_t hidden = shape.hidden_size, intermediate = shape.intermediate_size, dim = shape.head_dim;
  const int64_t q_rows = shape.head_count * dim, kv_rows = shape.key_value_head_count * dim;
  std::vector<NamedSlice> all;
  auto add = [&all](std::string name, Parameter& parameter, int64_t row, std::vector<int64_t> slice_shape) {
    if (parameter.defined()) all.push_back({std::move(name), &parameter, row, std::move(slice_shape)});
  };
  add("model.embed_tokens.weight", embedding, 0, {shape.vocab_size, hidden});
  for (size_t i = 0; i < layers.size(); i++) {
    LayerWeights& layer = layers[i];
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    const std::string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
    add(attention + "q_proj.weight", layer.qkv, 0, {q_rows, hidden});
    add(attention + "q_proj.bias", layer.qkv_bias, 0, {q_rows});
    add(attention + "k_proj.weight", layer.qkv, q_rows, {kv_rows, hidden});
    add(attention + "k_proj.bias", layer.qkv_bias, q_rows, {kv_rows});
    add(attention + "v_proj.weight", layer.qkv, q_rows + kv_rows, {kv_rows, hidden});
    add(attention + "v_proj.bias", layer.qkv_bias, q_rows + kv_rows, {kv_rows});
    add(attention + "q_norm.weight", layer.q_norm, 0, {dim});
    add(attention + "k_norm.weight", layer.k_norm, 0, {dim});
    add(attention + "o_proj.weight", layer.output, 0, {hidden, q_rows});
    add(attention + "o_proj.bias", layer.output_bias, 0, {hidden});
    add(mlp + "gate_proj.weight", layer.gate_up, 0, {intermediate, hidden});
    add(mlp + "gate_proj.bias", layer.gate_up_bias, 0, {intermediate});
    add(mlp + "up_proj.weight", layer.gate_up, intermediate, {intermediate, hidden});
    add(mlp + "up_proj.bias", layer.gate_up_bias, intermediate, {intermediate});
    add(mlp + "down_proj.weight", layer.down, 0, {hidden, intermediate});
    add(mlp + "down_proj.bias", layer.down_bias, 0, {hidden});
    add(prefix + "input_layernorm.weight", layer.input_norm, 0, {hidden});
    add(prefix + "post_attention_layernorm.weight", layer.mlp_norm, 0, {hidden});
  }
  add("model.norm.weight", final_norm, 0, {hidden});
  add("lm_head.weight", lm_head, 0, {shape.vocab_size, hidden});
  return all;
}

void Weights::prepare_training() {
  for (Parameter* parameter : parameters()) {
    if (!parameter->master.defined()) parameter->master = parameter->value.to(at::kFloat);
    if (!parameter->gradient.defined()) {
      parameter->gradient = at::zeros(parameter->value.sizes(), parameter->master.options());
    }
  }
}

void Weights::zero_gradients() {
  for (Parameter* parameter : parameters()) parameter->gradient.zero_();
}

void Weights::refresh_values() {
  if (dtype == at::kFloat) return;
  for (Parameter* parameter : parameters()) parameter->value.copy_(parameter->master);
}

}  // namespace magic
