#include "policy/weights.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "runtime/zero_pages.h"

namespace magic {

namespace {

Parameter allocate(at::IntArrayRef shape, const Weights& weights) {
  Parameter parameter;
  parameter.value = at::empty(shape, at::TensorOptions().device(weights.device).dtype(weights.dtype));
  return parameter;
}

// Gradients lie one after another in one block, each at a multiple of 256 bytes.
int64_t aligned_bytes(const Parameter& parameter, at::ScalarType type) {
  const auto bytes = parameter.value.numel() * static_cast<int64_t>(at::elementSize(type));
  return (bytes + 255) / 256 * 256;
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
    layer.qkv.weight = allocate({qkv_rows, hidden}, weights);
    if (shape.qkv_bias) layer.qkv.bias = allocate({qkv_rows}, weights);
    if (shape.qk_norm) {
      layer.q_norm = allocate({shape.head_dim}, weights);
      layer.k_norm = allocate({shape.head_dim}, weights);
    }
    layer.output.weight = allocate({hidden, q_rows}, weights);
    if (shape.output_bias) layer.output.bias = allocate({hidden}, weights);
    layer.mlp_norm = allocate({hidden}, weights);
    layer.gate_up.weight = allocate({2 * shape.intermediate_size, hidden}, weights);
    layer.down.weight = allocate({hidden, shape.intermediate_size}, weights);
    if (shape.mlp_bias) {
      layer.gate_up.bias = allocate({2 * shape.intermediate_size}, weights);
      layer.down.bias = allocate({hidden}, weights);
    }
  }
  weights.final_norm = allocate({hidden}, weights);
  if (!shape.tie_word_embeddings) weights.lm_head = allocate({shape.vocab_size, hidden}, weights);
  return weights;
}

std::vector<Parameter*> Weights::parameters() {
  std::vector<Parameter*> all{&embedding};
  for (LayerWeights& layer : layers) {
    for (Parameter* parameter : {&layer.input_norm, &layer.qkv.weight, &layer.qkv.bias, &layer.q_norm, &layer.k_norm,
                                 &layer.output.weight, &layer.output.bias, &layer.mlp_norm, &layer.gate_up.weight,
                                 &layer.gate_up.bias, &layer.down.weight, &layer.down.bias}) {
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
    add(attention + "q_proj.weight", layer.qkv.weight, 0, {q_rows, hidden});
    add(attention + "q_proj.bias", layer.qkv.bias, 0, {q_rows});
    add(attention + "k_proj.weight", layer.qkv.weight, q_rows, {kv_rows, hidden});
    add(attention + "k_proj.bias", layer.qkv.bias, q_rows, {kv_rows});
    add(attention + "v_proj.weight", layer.qkv.weight, q_rows + kv_rows, {kv_rows, hidden});
    add(attention + "v_proj.bias", layer.qkv.bias, q_rows + kv_rows, {kv_rows});
    add(attention + "q_norm.weight", layer.q_norm, 0, {dim});
    add(attention + "k_norm.weight", layer.k_norm, 0, {dim});
    add(attention + "o_proj.weight", layer.output.weight, 0, {hidden, q_rows});
    add(attention + "o_proj.bias", layer.output.bias, 0, {hidden});
    add(mlp + "gate_proj.weight", layer.gate_up.weight, 0, {intermediate, hidden});
    add(mlp + "gate_proj.bias", layer.gate_up.bias, 0, {intermediate});
    add(mlp + "up_proj.weight", layer.gate_up.weight, intermediate, {intermediate, hidden});
    add(mlp + "up_proj.bias", layer.gate_up.bias, intermediate, {intermediate});
    add(mlp + "down_proj.weight", layer.down.weight, 0, {hidden, intermediate});
    add(mlp + "down_proj.bias", layer.down.bias, 0, {hidden});
    add(prefix + "input_layernorm.weight", layer.input_norm, 0, {hidden});
    add(prefix + "post_attention_layernorm.weight", layer.mlp_norm, 0, {hidden});
  }
  add("model.norm.weight", final_norm, 0, {hidden});
  add("lm_head.weight", lm_head, 0, {shape.vocab_size, hidden});
  return all;
}

std::vector<Adapter*> Weights::adapters() {
  std::vector<Adapter*> all;
  for (LayerWeights& layer : layers) {
    for (Linear* linear : layer.linears()) {
      if (linear->adapter.defined()) all.push_back(&linear->adapter);
    }
  }
  return all;
}

std::vector<Parameter*> Weights::trained() {
  std::vector<Parameter*> all;
  for (Adapter* adapter : adapters()) all.insert(all.end(), {&adapter->a, &adapter->b});
  return all.empty() ? parameters() : all;
}

std::vector<NamedSlice> Weights::adapter_slices() {
  std::vector<NamedSlice> all;
  for (Adapter* adapter : adapters()) {
    for (NamedSlice& slice : adapter->slices()) all.push_back(std::move(slice));
  }
  return all;
}

std::vector<NamedSlice> Weights::trained_slices(const Shape& shape) {
  std::vector<NamedSlice> adapted = adapter_slices();
  return adapted.empty() ? slices(shape) : adapted;
}

at::Tensor Weights::merged(const NamedSlice& slice) {
  const at::Tensor value = slice.of(slice.parameter->value);
  for (LayerWeights& layer : layers) {
    for (Linear* linear : layer.linears()) {
      if (slice.parameter != &linear->weight) continue;
      const std::vector<AdapterTarget>& targets = linear->adapter.targets;
      for (size_t i = 0; i < targets.size(); i++) {
        if (targets[i].row == slice.row) return linear->adapter.delta(i).add_(value).to(dtype);
      }
    }
  }
  return value;
}

Weights Weights::base() const {
  Weights base = *this;
  for (LayerWeights& layer : base.layers) {
    for (Linear* linear : layer.linears()) linear->adapter = {};
  }
  return base;
}

void Weights::prepare_training() {
  if (dtype == at::kFloat) return;
  for (Parameter* parameter : trained()) {
    if (parameter->low_half.defined()) continue;
    parameter->low_half = at::zeros(parameter->value.sizes(), parameter->value.options().dtype(at::kShort));
  }
}

// Those of the embeddings are sums of many parts in one micro-batch, chunks of the head and tokens, and the rest is
// small.
at::ScalarType Weights::gradient_type(const Parameter* parameter, at::ScalarType matrices) {
  for (LayerWeights& layer : layers) {
    for (const Linear* linear : layer.linears()) {
      if (parameter == &linear->weight) return matrices;
    }
  }
  return at::kFloat;
}

void Weights::zero_gradients(at::ScalarType matrices) {
  const int64_t bytes = gradient_bytes(matrices);
  if (gradients.defined() && gradients.numel() == bytes) {
    gradients.zero_();
  } else {
    drop_gradients(true);
    gradients = zero_pages(bytes, device);
  }
  int64_t start = 0;
  for (Parameter* parameter : trained()) {
    const at::ScalarType type = gradient_type(parameter, matrices);
    const auto size = static_cast<int64_t>(parameter->value.numel() * at::elementSize(type));
    parameter->gradient = gradients.narrow(0, start, size).view(type).view(parameter->value.sizes());
    start += aligned_bytes(*parameter, type);
  }
}

void Weights::drop_gradients(bool block_too) {
  for (Parameter* parameter : trained()) parameter->gradient.reset();
  if (block_too) gradients.reset();
}

int64_t Weights::gradient_bytes(at::ScalarType matrices) {
  int64_t bytes = 0;
  for (const Parameter* parameter : trained()) bytes += aligned_bytes(*parameter, gradient_type(parameter, matrices));
  return bytes;
}

void attach_adapters(Weights& weights, const Shape& shape, const LoraOptions& options) {
  const std::vector<NamedSlice> slices = weights.slices(shape);
  for (LayerWeights& layer : weights.layers) {
    for (Linear* linear : layer.linears()) {
      Adapter& adapter = linear->adapter;
      int64_t rows = 0;
      for (const NamedSlice& slice : slices) {
        if (slice.parameter != &linear->weight) continue;
        const std::string module = slice.name.substr(0, slice.name.rfind('.'));
        const std::string name = module.substr(module.rfind('.') + 1);
        const std::vector<std::string>& names = options.target_modules;
        if (std::find(names.begin(), names.end(), name) == names.end()) continue;
        adapter.targets.push_back({module, slice.row, slice.shape[0]});
        rows += slice.shape[0];
      }
      if (!adapter.defined()) continue;
      adapter.rank = options.rank;
      adapter.scale = options.alpha / static_cast<double>(options.rank);
      const auto count = static_cast<int64_t>(adapter.targets.size());
      adapter.a = allocate({count * options.rank, linear->weight.value.size(1)}, weights);
      adapter.b = allocate({rows, options.rank}, weights);
    }
  }
  weights.prepare_training();  // what is drawn or read is float32
}

}  // namespace magic
