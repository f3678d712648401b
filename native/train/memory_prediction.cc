#include "train/memory_prediction.h"

#include <algorithm>

#include "policy/weights.h"
#include "rollout/block_manager.h"
#include "rollout/kv_cache.h"
#include "rollout/scheduler.h"
#include "runtime/memory.h"
#include "train/activation_budget.h"
#include "train/activation_memory.h"

namespace magic {

namespace {

// Sets what follows from the parameters, by the code that allocates them, on a device without memory.
void predict_states(const Shape& shape, const RunSizes& sizes, MemoryPrediction& prediction) {
  Weights weights = allocate_weights(shape, at::kMeta, sizes.dtype);
  if (sizes.lora) attach_adapters(weights, shape, *sizes.lora);
  const auto bytes = [](const at::Tensor& tensor) { return static_cast<int64_t>(tensor.nbytes()); };
  for (const Parameter* parameter : weights.parameters()) prediction.weights += bytes(parameter->value);
  if (sizes.reference) prediction.reference = prediction.weights;
  for (const Adapter* adapter : weights.adapters()) {
    prediction.weights += bytes(adapter->a.value) + bytes(adapter->b.value);
  }
  int64_t trained = 0;
  for (const Parameter* parameter : weights.trained()) trained += parameter->value.numel();
  prediction.gradients = weights.gradient_bytes(sizes.gradient_dtype);
  // Both moments, and what bfloat16 values lack to their masters.
  prediction.optimizer = trained * (sizes.dtype == at::kFloat ? 8 : 10);
  prediction.snapshot = trained * 12;
}

}  // namespace

int64_t MemoryPrediction::peak() const {
  return process + weights + reference + optimizer +
         (gradients_stay ? gradients + std::max(activations, kv_cache + sampling)
                         : std::max(gradients + activations, kv_cache + sampling));
}

MemoryPrediction predict_memory(const Shape& shape, const RunSizes& sizes) {
  MemoryPrediction prediction;
  if (sizes.device.is_cpu()) prediction.process = resident_bytes();
  prediction.free = free_memory_bytes(sizes.device);
  predict_states(shape, sizes, prediction);
  const int64_t states = prediction.weights + prediction.reference + prediction.optimizer;
  const int64_t left = std::max<int64_t>(0, prediction.free - states);

  const ActivationMemory memory(shape, sizes.device, sizes.dtype, !sizes.lora);
  const int64_t budget =
      sizes.activation_bytes > 0 ? sizes.activation_bytes : share_of_free(left - prediction.gradients);
  const int64_t rows = std::max(sizes.sequence_rows, sizes.micro_batch_rows);
  const int64_t responses = std::max(sizes.sequence_responses, sizes.micro_batch_responses);
  const MicroBatchPlan plan = memory.plan(rows, responses, budget, sizes.activation_checkpointing);
  prediction.activation_budget = budget;
  prediction.least_activations = memory.training(sizes.sequence_rows, sizes.sequence_responses, memory.least());
  prediction.activations =
      std::max(prediction.least_activations, std::min(budget, memory.training(rows, responses, plan)));
  prediction.recomputed_layers = plan.recompute.layers + plan.recompute.mlps;
  prediction.gradients_stay = sizes.device.is_cpu() && prediction.recomputed_layers == 0;

  if (sizes.batch_size > 0) {
    const int64_t block = KvCache::block_bytes(shape, sizes.dtype);
    const int64_t most = sizes.kv_cache_bytes > 0 ? sizes.kv_cache_bytes
                                                  : (left - (prediction.gradients_stay ? prediction.gradients : 0)) / 2;
    prediction.kv_cache = std::min((sizes.cached_tokens + kBlockSlots - 1) / kBlockSlots * block, most);
    // Decode steps on a device have logits of their own, which stay beside those of other steps.
    const int64_t logits = sizes.batch_size * shape.vocab_size * 4 * (sizes.device.is_cpu() ? 1 : 2);
    prediction.sampling = memory.scoring(kStepTokens, 1, 1) + logits;
  }
  return prediction;
}

}  // namespace magic
