#pragma once
// One asynchronous call: inputs are converted on the JS thread, the work runs on the torch thread, and the promise
// settles on the thread of the environment that called.

#include <cstdint>
#include <functional>
#include <memory>

#include "napi/addon_api.h"
#include "runtime/cancel.h"

namespace magic {

// Makes the JS value of a result. Holds plain data: it may be dropped on any thread.
using Deliver = std::function<Napi::Value(Napi::Env)>;
// Two numbers to the caller's progress callback, at most ten times a second. Called on the torch thread.
using Progress = std::function<void(int64_t, int64_t)>;

struct Task {
  std::function<Deliver(const Progress&)> run;  // on the torch thread
  std::shared_ptr<Cancel> cancel{};
  Napi::FunctionReference on_progress{};
};

// Calls `prepare` at once; whatever it or the work throws rejects the promise.
Napi::Value promise_task(Napi::Env env, const std::function<Task()>& prepare);

// Once an environment, before the first task.
void prepare_promises(Napi::Env env);

}  // namespace magic
