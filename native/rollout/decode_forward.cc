#include "rollout/decode_forward.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>

#include <algorithm>

#include "policy/linear.h"
#include "policy/mlp.h"
#include "policy/norm.h"
#include "product/product.h"
#include "rollout/sampler.h"
#include "runtime/trace.h"

namespace magic {

DecodeForward::DecodeForward(const Shape& shape, Weights& weights) : shape_(shape), weights_(weights) {
  for (const Adapter* adapter : weights.adapters()) {
    adapter_width_ = std::max(adapter_width_, static_cast<int64_t>(adapter->targets.size()) * adapter->rank);
  }
}

bool DecodeForward::holds(DecodeSize size) const {
  return hidden_.defined() && size.rows <= hidden_.size(0) &&
         DeviceStep::partial_size(shape_, size.rows, size.longest()) <= partial_.numel();
}

void DecodeForward::reserve(DecodeSize size) {
  const auto options = at::TensorOptions().device(weights_.device).dtype(weights_.dtype);
  const int64_t rows = hidden_.defined() ? std::max(size.rows, hidden_.size(0)) : size.rows;
  const int64_t q = shape_.head_count * shape_.head_dim, kv = shape_.key_value_head_count * shape_.head_dim;
  const int64_t needed = DeviceStep::partial_size(shape_, size.rows, size.longest());
  const int64_t partial = partial_.defined() ? std::max(needed, partial_.numel()) : needed;
  // The largest, before there are new ones.
  logits_.reset();
  partial_.reset();
  hidden_ = at::empty({rows, shape_.hidden_size}, options);
  normal_ = at::empty({rows, shape_.hidden_size}, options);
  qkv_ = at::empty({rows, q + 2 * kv}, options);
  attended_ = at::empty({rows, q}, options);
  projected_ = at::empty({rows, shape_.hidden_size}, options);
  gate_up_ = at::empty({rows, 2 * shape_.intermediate_size}, options);
  product_ = at::empty({rows, shape_.intermediate_size}, options);
  low_ = at::empty({rows, adapter_width_}, options);
  logits_ = at::empty({rows, shape_.vocab_size}, options.dtype(at::kFloat));
  partial_ = at::empty({partial}, options.dtype(at::kFloat));
}

void DecodeForward::run(const KvCache& cache, const DecodeTensors& tensors, const GenerateOptions& options) {
  const int64_t rows = tensors.tokens.size(0);
  at::Tensor hidden = rows_of(hidden_, rows), logits = rows_of(logits_, rows);
  const at::Tensor normal = rows_of(normal_, rows);
  {
    const Span span("forward");
    at::index_select_out(hidden, weights_.embedding.value, 0, tensors.tokens);
    for (int64_t i = 0; i < shape_.layer_count; i++) layer(i, cache, tensors, hidden);
    rms_norm_into(normal, hidden, weights_.final_norm.value, shape_.rms_norm_epsilon);
  }
  {
    const Span span("logits");
    float_product_into(logits, normal, weights_.head().value.t());
  }
  sample_into(tensors.results, logits, tensors.seeds, tensors.counters, options);
}

void DecodeForward::layer(int64_t index, const KvCache& cache, const DecodeTensors& tensors, at::Tensor& hidden) {
  const Span span("layer forward");
  const LayerWeights& layer = weights_.layers[index];
  const double epsilon = shape_.rms_norm_epsilon;
  const int64_t rows = hidden.size(0), dim = shape_.head_dim;
  const int64_t q_heads = shape_.head_count, kv_heads = shape_.key_value_head_count;
  const at::Tensor normal = rows_of(normal_, rows), qkv = rows_of(qkv_, rows), projected = rows_of(projected_, rows);
  const auto linear = [&](const at::Tensor& y, const at::Tensor& x, const Linear& by) {
    const int64_t width = static_cast<int64_t>(by.adapter.targets.size()) * by.adapter.rank;
    linear_into(y, x, by, low_.flatten().narrow(0, 0, rows * width).view({rows, width}));
  };
  const auto heads = [&](int64_t first, int64_t count) {
    return qkv.narrow(1, first * dim, count * dim).view({rows, count, dim});
  };

  rms_norm_into(normal, hidden, layer.input_norm.value, epsilon);
  linear(qkv, normal, layer.qkv);
  if (shape_.qk_norm) {
    const at::Tensor q = heads(0, q_heads), k = heads(q_heads, kv_heads);
    rms_norm_into(q, q, layer.q_norm.value, epsilon);
    rms_norm_into(k, k, layer.k_norm.value, epsilon);
  }
  rotate(heads(0, q_heads + kv_heads), tensors.rope, false);
  tensors.step.store(cache, index, qkv.narrow(1, q_heads * dim, kv_heads * dim),
                     qkv.narrow(1, (q_heads + kv_heads) * dim, kv_heads * dim));
  const at::Tensor attended = rows_of(attended_, rows);
  tensors.step.attend(shape_, cache, index, qkv.narrow(1, 0, q_heads * dim), attended, partial_);
  linear(projected, attended, layer.output);
  hidden.add_(projected);

  rms_norm_into(normal, hidden, layer.mlp_norm.value, epsilon);
  const at::Tensor gate_up = rows_of(gate_up_, rows), product = rows_of(product_, rows);
  linear(gate_up, normal, layer.gate_up);
  swiglu_into(product, gate_up);
  linear(projected, product, layer.down);
  hidden.add_(projected);
}

}  // namespace magic
