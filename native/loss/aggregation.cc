#include "loss/aggregation.h"

namespace magic {

namespace {

double token_share(const LossOptions& options, double sequences, double kept_in_sequence, double kept) {
  switch (options.aggregation) {
    case Aggregation::kSequenceMeanTokenMean:
      return 1.0 / (sequences * kept_in_sequence);
    case Aggregation::kSequenceMeanTokenSum:
      return 1.0 / (sequences * options.aggregation_constant);
    default:
      return 1.0 / kept;
  }
}

}  // namespace

std::vector<float> aggregation_weights(const TrainingBatch& batch, const LossOptions& options) {
  const auto counts = [&](size_t token) { return batch.loss_mask.empty() || batch.loss_mask[token] != 0; };
  std::vector<int64_t> kept(batch.sequence_count(), 0);
  int64_t sequences = 0;
  size_t token = 0;
  for (int64_t s = 0; s < batch.sequence_count(); s++) {
    for (int64_t t = 0; t < batch.response_length(s); t++) kept[s] += counts(token++);
    sequences += kept[s] > 0;
  }
  const auto total = static_cast<double>(batch.kept_token_count());
  std::vector<float> weights;
  weights.reserve(token);
  token = 0;
  for (int64_t s = 0; s < batch.sequence_count(); s++) {
    for (int64_t t = 0; t < batch.response_length(s); t++) {
      const double share = token_share(options, static_cast<double>(sequences), static_cast<double>(kept[s]), total);
      weights.push_back(counts(token++) ? static_cast<float>(share * options.loss_scale) : 0.0f);
    }
  }
  return weights;
}

}  // namespace magic
