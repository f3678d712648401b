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

Deliver deliver_completions(std::vector<std::vector<Completion>> groups) {
  return [groups = std::move(groups)](Napi::Env env) {
    auto result = Napi::Array::New(env, groups.size());
    for (uint32_t i = 0; i < groups.size(); ++i) {
      auto completions = Napi::Array::New(env, groups[i].size());
      for (uint32_t j = 0; j < groups[i].size(); ++j) {
        const Napi::HandleScope scope(env);
        completions.Set(j, completion_to_js(env, groups[i][j]));
      }
      result.Set(i, completions);
    }
    return result;
  };
}

Task generate_task(const Napi::CallbackInfo& info) {
  auto state = live_policy(info[0]);
  auto prompts = prompts_of(info[1]);
  auto options = options_of(info[2]);
  auto cancel = cancel_of(info[3]);
  Napi::FunctionReference on_progress;
  if (!info[4].IsUndefined()) {
    if (!info[4].IsFunction())
      throw Error("INVALID_ARGUMENT", "generate onProgress must be a function, got " + describe(info[4]));
    on_progress = Napi::Persistent(info[4].As<Napi::Function>());
  }
  return {[state = std::move(state), prompts = std::move(prompts), options = std::move(options),
           cancel](const Progress& progress) {
            return deliver_completions(generate(*state->policy, prompts, options, *cancel, progress));
          },
          cancel, std::move(on_progress)};
}

}  // namespace

void register_generation(Napi::Env env, Napi::Object exports) { add_promise(env, exports, "generate", generate_task); }

}  // namespace magic
