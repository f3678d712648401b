// generate

#include <utility>

#include "napi/convert.h"
#include "napi/handle.h"
#include "napi/register.h"
#include "rollout/generate.h"

namespace magic {

namespace {

std::vector<GeneratePrompt> prompts_of(Napi::Value value) {
  std::vector<GeneratePrompt> prompts;
  for (const auto& element : elements(value, "generate prompts")) {
    const Fields fields(element, "generate prompts[" + std::to_string(prompts.size()) + "]");
    GeneratePrompt prompt{fields.int32s("promptTokenIds"), fields.uint64s("seeds")};
    if (fields.has("maxNewTokens")) prompt.max_new_tokens = fields.int32s("maxNewTokens");
    if (!prompt.max_new_tokens.empty() && prompt.max_new_tokens.size() != prompt.seeds.size())
      fields.fail("maxNewTokens", "absent or have one value a seed", fields.get("maxNewTokens"));
    if (fields.integer("n") != static_cast<int64_t>(prompt.seeds.size()))
      fields.fail("seeds", "n = " + std::to_string(fields.integer("n")) + " values", fields.get("seeds"));
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

GenerateOptions options_of(Napi::Value value) {
  const Fields fields(value, "generate options");
  GenerateOptions options;
  options.max_new_tokens = fields.integer("maxNewTokens");
  options.temperature = fields.number("temperature");
  options.top_p = fields.number("topP");
  options.top_k = fields.integer("topK");
  options.stop_token_ids = fields.int32s("stopTokenIds");
  options.max_batch_size = fields.integer("maxBatchSize");
  options.kv_cache_bytes = fields.integer("kvCacheBytes");
  return options;
}

Napi::Value completion_to_js(Napi::Env env, const Completion& completion) {
  auto result = Napi::Object::New(env);
  result.Set("tokenIds", to_js(env, completion.token_ids));
  result.Set("logprobs", to_js(env, completion.logprobs));
  result.Set("entropy", to_js(env, completion.entropy));
  result.Set("finishReason", completion.stopped ? "stop" : "length");
  return result;
}

Napi::Array completions_to_js(Napi::Env env, const std::vector<Completion>& completions) {
  auto result = Napi::Array::New(env, completions.size());
  for (uint32_t i = 0; i < completions.size(); ++i) {
    const Napi::HandleScope scope(env);
    result.Set(i, completion_to_js(env, completions[i]));
  }
  return result;
}

Deliver deliver_generated(Generated generated) {
  return [generated = std::move(generated)](Napi::Env env) {
    const std::vector<std::vector<Completion>>& groups = generated.groups;
    auto completions = Napi::Array::New(env, groups.size());
    for (uint32_t i = 0; i < groups.size(); ++i) completions.Set(i, completions_to_js(env, groups[i]));
    const GenerateStats& counted = generated.stats;
    auto stats = Napi::Object::New(env);
    stats.Set("computedPromptTokens", static_cast<double>(counted.computed_prompt_tokens));
    stats.Set("sharedPromptTokens", static_cast<double>(counted.shared_prompt_tokens));
    stats.Set("preemptions", static_cast<double>(counted.preemptions));
    stats.Set("peakCacheTokens", static_cast<double>(counted.peak_cache_tokens));
    auto result = Napi::Object::New(env);
    result.Set("completions", completions);
    result.Set("stats", stats);
    return result;
  };
}

Deliver deliver_group(size_t prompt, std::vector<Completion> completions) {
  return [prompt, completions = std::move(completions)](Napi::Env env) {
    auto result = Napi::Object::New(env);
    result.Set("prompt", static_cast<double>(prompt));
    result.Set("completions", completions_to_js(env, completions));
    return result;
  };
}

Napi::FunctionReference callback_of(Napi::Value value, const char* name) {
  if (value.IsUndefined()) return {};
  if (!value.IsFunction())
    throw Error("INVALID_ARGUMENT", std::string("generate ") + name + " must be a function, got " + describe(value));
  return Napi::Persistent(value.As<Napi::Function>());
}

Task generate_task(const Napi::CallbackInfo& info) {
  auto state = live_policy(info[0]);
  auto prompts = prompts_of(info[1]);
  auto options = options_of(info[2]);
  auto cancel = cancel_of(info[3]);
  return {[state = std::move(state), prompts = std::move(prompts), options = std::move(options),
           cancel](const Reports& reports) {
            const auto on_group = [&](size_t prompt, const std::vector<Completion>& completions) {
              reports.part(deliver_group(prompt, completions));
            };
            return deliver_generated(generate(*state->policy, prompts, options, *cancel, {reports.progress, on_group}));
          },
          cancel, callback_of(info[4], "onProgress"), callback_of(info[5], "onGroup")};
}

}  // namespace

void register_generation(Napi::Env env, Napi::Object exports) { add_promise(env, exports, "generate", generate_task); }

}  // namespace magic
