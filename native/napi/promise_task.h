#pragma once
// One asynchronous call: inputs are converted on the JS thread, the work runs on the torch thread (or the one that
// writes files), and the promise settles on the thread of the environment that called.

#include <cstdint>
#include <functional>
#include <memory>

#include "napi/addon_api.h"
#include "runtime/cancel.h"
#include "runtime/job_thread.h"

namespace magic {

// Makes the JS value of a result. Holds plain data: it may be dropped on any thread.
using Deliver = std::function<Napi::Value(Napi::Env)>;
// What a call says before it is done, to the callbacks that its caller gave. Called on the torch thread.
struct Reports {
  // Two numbers, at most ten times a second.
  std::function<void(int64_t, int64_t)> progress;
  // A part of the result, each time.
  std::function<void(Deliver)> part;
};

struct Task {
  std::function<Deliver(const Reports&)> run;
  std::shared_ptr<Cancel> cancel{};
  Napi::FunctionReference on_progress{};
  Napi::FunctionReference on_part{};
  JobThread* thread = nullptr;  // the torch thread where it is null
};

// Calls `prepare` at once; whatever it or the work throws rejects the promise.
Napi::Value promise_task(Napi::Env env, const std::function<Task()>& prepare);

// Once an environment, before the first task.
void prepare_promises(Napi::Env env);

}  // namespace magic
