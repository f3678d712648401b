// startTrace, stopTrace, peakFlops

#include <map>
#include <string_view>
#include <utility>

#include "napi/handle.h"
#include "napi/register.h"
#include "runtime/peak_rate.h"
#include "runtime/trace.h"

namespace magic {

namespace {

Napi::Value trace_to_js(Napi::Env env, const Trace& trace) {
  const size_t count = trace.events.size();
  std::map<std::string_view, uint32_t> indices;
  auto names = Napi::Array::New(env);
  auto name = Napi::Uint32Array::New(env, count);
  auto begin = Napi::Float64Array::New(env, count), end = Napi::Float64Array::New(env, count);
  for (size_t i = 0; i < count; ++i) {
    const auto& event = trace.events[i];
    const auto [found, added] = indices.emplace(event.name, static_cast<uint32_t>(indices.size()));
    if (added) names.Set(found->second, event.name);
    name[i] = found->second;
    begin[i] = event.begin;
    end[i] = event.end;
  }
  auto result = Napi::Object::New(env);
  result.Set("names", names);
  result.Set("name", name);
  result.Set("begin", begin);
  result.Set("end", end);
  result.Set("dropped", static_cast<double>(trace.dropped));
  return result;
}

}  // namespace

void register_profile(Napi::Env env, Napi::Object exports) {
  add_promise(env, exports, "startTrace", [](const Napi::CallbackInfo&) -> Task {
    return {[](const Reports&) -> Deliver {
      Trace::start();
      return [](Napi::Env env) { return env.Undefined(); };
    }};
  });
  add_promise(env, exports, "peakFlops", [](const Napi::CallbackInfo& info) -> Task {
    return {[state = live_policy(info[0])](const Reports&) -> Deliver {
      const auto& weights = state->policy->weights();
      return [rate = peak_flops(weights.device, weights.dtype)](Napi::Env env) { return Napi::Number::New(env, rate); };
    }};
  });
  add_promise(env, exports, "stopTrace", [](const Napi::CallbackInfo&) -> Task {
    return {[](const Reports&) -> Deliver {
      return [trace = Trace::stop()](Napi::Env env) { return trace_to_js(env, trace); };
    }};
  });
}

}  // namespace magic
