#include "train/micro_batch.h"

#include <ATen/ops/zeros.h>

#include <utility>

namespace magic {

namespace {

// One value a response token of this packing, out of one a response token of the batch.
std::vector<float> gather(const std::vector<float>& values, const Packing& packing) {
  std::vector<float> gathered;
  if (values.empty()) return gathered;
  gathered.reserve(packing.response_indices.size());
  for (int64_t index : packing.response_indices) gathered.push_back(values[index]);
  return gathered;
}

const float* data_or_null(const std::vector<float>& values) { return values.empty() ? nullptr : values.data(); }

}  // namespace

MicroBatch::MicroBatch(const Shape& shape, Weights& weights, const Packing& packing)
    : shape_(shape),
      weights_(weights),
      packing_(packing),
      tokens_(token_tensor(packing.token_ids, weights.device)),
      rows_(token_tensor(packing.rows, weights.device)),
      rope_(make_rope(shape, packing.positions, weights.device)) {}

at::Tensor MicroBatch::forward(Activations* saved) const {
  return decoder_forward(shape_, weights_, tokens_, rope_, packed_attention(shape_, packing_), saved)
      .index_select(0, rows_);
}

void MicroBatch::backward(Activations& saved, at::Tensor d_rows) const {
  // A shared prompt's last row predicts the first token of each response: its gradients add up, in float32.
  at::Tensor d_hidden = at::zeros({packing_.token_count(), d_rows.size(1)}, d_rows.options().dtype(at::kFloat))
                            .index_add_(0, rows_, d_rows.to(at::kFloat))
                            .to(d_rows.scalar_type());
  d_rows.reset();
  decoder_backward(shape_, weights_, packing_, tokens_, rope_, saved, std::move(d_hidden));
}

PackedTokens::PackedTokens(const Packing& packing, const TrainingBatch& batch, const std::vector<float>& weights)
    : packing(packing),
      weights(gather(weights, packing)),
      old_logprobs(gather(batch.old_logprobs, packing)),
      reference_logprobs(gather(batch.reference_logprobs, packing)),
      sampler_logprobs(gather(batch.sampler_logprobs, packing)) {
  for (int32_t sequence : packing.sequences) advantages.push_back(batch.advantages[sequence]);
}

HeadTokens PackedTokens::view() const {
  HeadTokens tokens;
  tokens.count = static_cast<int64_t>(packing.rows.size());
  tokens.targets = packing.targets.data();
  tokens.weights = weights.data();
  tokens.advantages = advantages.data();
  tokens.old_logprobs = data_or_null(old_logprobs);
  tokens.reference_logprobs = data_or_null(reference_logprobs);
  tokens.sampler_logprobs = data_or_null(sampler_logprobs);
  tokens.sequences = packing.sequences.data();
  return tokens;
}

}  // namespace magic
