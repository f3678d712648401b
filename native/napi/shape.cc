#include "napi/shape.h"

namespace magic {

Shape shape_of(Napi::Value value) {
  const Fields fields(value, "shape");
  Shape shape;
  shape.vocab_size = fields.integer("vocabSize");
  shape.hidden_size = fields.integer("hiddenSize");
  shape.intermediate_size = fields.integer("intermediateSize");
  shape.layer_count = fields.integer("layerCount");
  shape.head_count = fields.integer("headCount");
  shape.key_value_head_count = fields.integer("keyValueHeadCount");
  shape.head_dim = fields.integer("headDim");
  shape.rms_norm_epsilon = fields.number("rmsNormEpsilon");
  shape.tie_word_embeddings = fields.boolean("tieWordEmbeddings");
  shape.qkv_bias = fields.boolean("qkvBias");
  shape.output_bias = fields.boolean("outputBias");
  shape.mlp_bias = fields.boolean("mlpBias");
  shape.qk_norm = fields.boolean("qkNorm");
  shape.inverse_frequencies = fields.float64s("inverseFrequencies");
  shape.initializer_range = fields.number("initializerRange");
  for (const char* name :
       {"vocabSize", "hiddenSize", "intermediateSize", "layerCount", "headCount", "keyValueHeadCount", "headDim"})
    if (fields.integer(name) < 1) fields.fail(name, "at least 1", fields.get(name));
  if (shape.head_count % shape.key_value_head_count != 0)
    fields.fail("keyValueHeadCount", "a divisor of headCount", fields.get("keyValueHeadCount"));
  if (shape.head_dim % 2 != 0) fields.fail("headDim", "even", fields.get("headDim"));
  if (static_cast<int64_t>(shape.inverse_frequencies.size()) != shape.head_dim / 2)
    fields.fail("inverseFrequencies", "headDim / 2 values", fields.get("inverseFrequencies"));
  return shape;
}

LoraOptions lora_options_of(const Fields& fields) {
  LoraOptions options;
  options.rank = fields.integer("rank");
  options.alpha = fields.number("alpha");
  options.target_modules = strings(fields.get("targetModules"), "lora.targetModules");
  options.seed = uint64(fields.get("seed"), "lora.seed");
  if (options.rank < 1) fields.fail("rank", "at least 1", fields.get("rank"));
  return options;
}

}  // namespace magic
