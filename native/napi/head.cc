// head: the fused loss path on given hidden states, for tests and benchmarks.

#include "loss/head.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>

#include <chrono>
#include <string>
#include <utility>

#include "loss/logits.h"
#include "napi/convert.h"
#include "napi/register.h"
#include "runtime/error.h"
#include "runtime/memory.h"

namespace magic {

namespace {

struct HeadInput {
  std::vector<float> hidden, weight, advantages, old_logprobs, reference_logprobs;
  std::vector<int32_t> targets;
  int64_t hidden_size = 0, vocab_size = 0;
};

struct HeadOutput {
  HeadSums sums;
  std::vector<float> logprobs, entropy;
  at::Tensor hidden_gradient, weight_gradient;  // float32, on the CPU
  std::vector<double> seconds;                  // of each repetition
  int64_t extra_memory = 0;
};

void require(bool holds, const std::string& message) {
  if (!holds) throw Error("INVALID_ARGUMENT", "head input." + message);
}

HeadInput input_of(Napi::Value value) {
  const Fields fields(value, "head input");
  HeadInput input;
  input.hidden = fields.float32s("hidden");
  input.weight = fields.float32s("weight");
  input.hidden_size = fields.integer("hiddenSize");
  input.targets = fields.int32s("targets");
  input.advantages = fields.float32s("advantages");
  input.old_logprobs = fields.optional_float32s("oldLogprobs");
  input.reference_logprobs = fields.optional_float32s("referenceLogprobs");

  const auto count = input.targets.size();
  const auto width = static_cast<size_t>(input.hidden_size);
  require(count > 0, "targets must have at least one value");
  require(input.hidden_size > 0, "hiddenSize must be at least 1");
  require(input.hidden.size() == count * width, "hidden must have targets.length * hiddenSize values");
  require(!input.weight.empty() && input.weight.size() % width == 0, "weight must have vocabulary * hiddenSize values");
  require(input.advantages.size() == count, "advantages must have one value a target");
  require(!fields.has("oldLogprobs") || input.old_logprobs.size() == count, "oldLogprobs must have one value a target");
  require(!fields.has("referenceLogprobs") || input.reference_logprobs.size() == count,
          "referenceLogprobs must have one value a target");
  input.vocab_size = static_cast<int64_t>(input.weight.size() / width);
  for (const auto target : input.targets)
    require(target >= 0 && target < input.vocab_size,
            "targets must be from 0 to " + std::to_string(input.vocab_size - 1) + ", got " + std::to_string(target));
  return input;
}

at::ScalarType dtype_of(const Fields& fields) {
  const auto name = fields.string("dtype");
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  fields.fail("dtype", "float32 or bfloat16", fields.get("dtype"));
}

HeadOutput run_head(HeadInput& input, const LossOptions& options, const std::string& device, at::ScalarType dtype,
                    int64_t repetitions) {
  const auto count = static_cast<int64_t>(input.targets.size());
  const auto on_device = [&](std::vector<float>& values, int64_t rows) {
    return at::from_blob(values.data(), {rows, input.hidden_size}, at::kFloat).to(at::Device(device), dtype);
  };
  const auto hidden = on_device(input.hidden, count);
  const auto weight = on_device(input.weight, input.vocab_size);
  auto hidden_gradient = at::empty_like(hidden);
  auto weight_gradient = at::zeros({input.vocab_size, input.hidden_size}, hidden.options().dtype(at::kFloat));

  const std::vector<float> weights(input.targets.size(), 1.0f / static_cast<float>(count));
  const auto optional = [](const std::vector<float>& values) { return values.empty() ? nullptr : values.data(); };
  HeadTokens tokens;
  tokens.count = count;
  tokens.targets = input.targets.data();
  tokens.weights = weights.data();
  tokens.advantages = input.advantages.data();
  tokens.old_logprobs = optional(input.old_logprobs);
  tokens.reference_logprobs = optional(input.reference_logprobs);

  const int64_t most_rows = ample_chunk_rows(input.vocab_size, hidden.device(), hidden.scalar_type());
  HeadOutput output;
  output.logprobs.resize(input.targets.size());
  output.entropy.resize(input.targets.size());
  const ExtraMemory memory(hidden.device());
  for (int64_t i = 0; i < repetitions; i++) {
    weight_gradient.zero_();
    const auto start = std::chrono::steady_clock::now();
    output.sums = head_backward(hidden, weight, most_rows, tokens, options, hidden_gradient, weight_gradient,
                                output.logprobs.data(), output.entropy.data())();
    output.seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  output.extra_memory = memory.bytes();
  output.hidden_gradient = hidden_gradient.to(at::kCPU, at::kFloat).contiguous();
  output.weight_gradient = weight_gradient.to(at::kCPU, at::kFloat).contiguous();
  return output;
}

Deliver deliver_output(HeadOutput output) {
  return [output = std::move(output)](Napi::Env env) {
    const auto tensor = [&](const at::Tensor& values) {
      return to_js(env, values.const_data_ptr<float>(), static_cast<size_t>(values.numel()));
    };
    auto result = Napi::Object::New(env);
    result.Set("loss", output.sums.loss);
    result.Set("logprobs", to_js(env, output.logprobs));
    result.Set("entropy", to_js(env, output.entropy));
    result.Set("hiddenGradient", tensor(output.hidden_gradient));
    result.Set("weightGradient", tensor(output.weight_gradient));
    result.Set("seconds", to_js(env, output.seconds));
    result.Set("extraMemoryBytes", static_cast<double>(output.extra_memory));
    return result;
  };
}

Task head_task(const Napi::CallbackInfo& info) {
  const Fields fields(info[1], "head options");
  LossOptions options;
  options.temperature = fields.number("temperature");
  options.clip_low = fields.number("clipLow");
  options.clip_high = fields.number("clipHigh");
  options.entropy_coefficient = fields.number("entropyCoefficient");
  options.kl_coefficient = fields.number("klCoefficient");
  if (!(options.temperature > 0)) fields.fail("temperature", "above 0", fields.get("temperature"));
  const auto repetitions = fields.has("repetitions") ? fields.integer("repetitions") : 1;
  if (repetitions < 1) fields.fail("repetitions", "at least 1", fields.get("repetitions"));
  return {[input = input_of(info[0]), options, device = fields.string("device"), dtype = dtype_of(fields), repetitions](
              const Reports&) mutable { return deliver_output(run_head(input, options, device, dtype, repetitions)); }};
}

}  // namespace

void register_head(Napi::Env env, Napi::Object exports) { add_promise(env, exports, "head", head_task); }

}  // namespace magic
