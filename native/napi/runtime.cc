// contract, versions, createCancel, cancel

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <torch/headeronly/version.h>

#include <string>

#include "napi/handle.h"
#include "napi/register.h"

namespace magic {

namespace {

// libtorch exports its version only inside its description of the build.
std::string loaded_version() {
  const std::string text = at::show_config(), key = "TORCH_VERSION=";
  const auto begin = text.find(key);
  if (begin == std::string::npos) return "unknown";
  const auto from = begin + key.size();
  return text.substr(from, text.find_first_of(", \n", from) - from);
}

Napi::Value versions(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  auto result = Napi::Object::New(env);
  const bool cuda = at::hasCUDA();
  result.Set("libtorch", loaded_version());
  result.Set("builtAgainst", std::string(TORCH_VERSION));
  result.Set("cpuCapability", at::get_cpu_capability());
  result.Set("cudaAvailable", cuda);
  result.Set("cudaDeviceCount", cuda ? at::detail::getCUDAHooks().getNumGPUs() : 0);
  result.Set("threads", at::get_num_threads());
  return result;
}

}  // namespace

void register_runtime(Napi::Env env, Napi::Object exports) {
  exports.Set("contract", MAGIC_GRPO_CONTRACT);
  add_function(env, exports, "versions", versions);
  add_function(env, exports, "createCancel",
               [](const Napi::CallbackInfo& info) { return wrap(info.Env(), std::make_shared<Cancel>()); });
  add_function(env, exports, "cancel", [](const Napi::CallbackInfo& info) {
    unwrap<Cancel>(info[0]).state->requested = true;
    return info.Env().Undefined();
  });
}

}  // namespace magic
