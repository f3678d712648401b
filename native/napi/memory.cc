// predictMemory

#include <utility>

#include "napi/convert.h"
#include "napi/register.h"
#include "napi/shape.h"
#include "policy/policy.h"
#include "train/memory_prediction.h"

namespace magic {

namespace {

Napi::Value predict(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  const Fields fields(info[1], "predictMemory sizes");
  RunSizes sizes;
  sizes.device = parse_device(fields.string("device"));
  sizes.dtype = parse_dtype(fields.string("dtype"));
  if (fields.has("lora")) sizes.lora = lora_options_of(Fields(fields.get("lora"), "lora"));
  sizes.reference = fields.boolean("reference");
  sizes.sequence_rows = fields.integer("sequenceRows");
  sizes.sequence_responses = fields.integer("sequenceResponses");
  sizes.micro_batch_rows = fields.integer("microBatchRows");
  sizes.micro_batch_responses = fields.integer("microBatchResponses");
  sizes.activation_bytes = fields.integer("activationBytes");
  sizes.activation_checkpointing = fields.boolean("activationCheckpointing");
  sizes.gradient_dtype = parse_dtype(fields.string("gradientDtype"));
  sizes.batch_size = fields.integer("batchSize");
  sizes.cached_tokens = fields.integer("cachedTokens");
  sizes.kv_cache_bytes = fields.integer("kvCacheBytes");

  const auto prediction = predict_memory(shape_of(info[0]), sizes);
  auto result = Napi::Object::New(env);
  const auto set = [&](const char* name, int64_t value) { result.Set(name, static_cast<double>(value)); };
  set("peak", prediction.peak());
  set("process", prediction.process);
  set("weights", prediction.weights);
  set("reference", prediction.reference);
  set("optimizer", prediction.optimizer);
  set("gradients", prediction.gradients);
  set("activations", prediction.activations);
  set("recomputedLayers", prediction.recomputed_layers);
  set("kvCache", prediction.kv_cache);
  set("sampling", prediction.sampling);
  set("snapshot", prediction.snapshot);
  set("free", prediction.free);
  set("leastActivations", prediction.least_activations);
  set("activationBudget", prediction.activation_budget);
  return result;
}

}  // namespace

void register_memory(Napi::Env env, Napi::Object exports) { add_function(env, exports, "predictMemory", predict); }

}  // namespace magic
