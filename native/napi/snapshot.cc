// snapshot, disposeSnapshot, writeParameters, writeAdapter, writeOptimizer

#include "checkpoint/snapshot.h"

#include <memory>
#include <utility>

#include "napi/convert.h"
#include "napi/handle.h"
#include "napi/register.h"
#include "runtime/job_thread.h"

namespace magic {

namespace {

Task snapshot_task(const Napi::CallbackInfo& info) {
  return {[state = live_policy(info[0])](const Reports&) -> Deliver {
    return [snapshot = state->policy->snapshot()](Napi::Env env) { return wrap(env, snapshot); };
  }};
}

// Writes a file from a snapshot, on the thread for files.
template <class Write>
Task write_task(const Napi::CallbackInfo& info, Write write) {
  auto snapshot = unwrap<Snapshot>(info[0]).state;
  if (!snapshot) throw Error("DISPOSED", "the snapshot is disposed: no call is possible after dispose()");
  Task task{[snapshot = std::move(snapshot), write = std::move(write)](const Reports&) -> Deliver {
    write(*snapshot);
    return [](Napi::Env env) { return env.Undefined(); };
  }};
  task.thread = &file_thread();
  return task;
}

}  // namespace

void register_snapshot(Napi::Env env, Napi::Object exports) {
  add_promise(env, exports, "snapshot", snapshot_task);
  add_function(env, exports, "disposeSnapshot", [](const Napi::CallbackInfo& info) {
    unwrap<Snapshot>(info[0]).dispose(info.Env());
    return info.Env().Undefined();
  });
  add_promise(env, exports, "writeParameters", [](const Napi::CallbackInfo& info) {
    return write_task(info, [path = string(info[1], "path"), names = strings(info[2], "names")](Snapshot& snapshot) {
      snapshot.write_parameters(path, names);
    });
  });
  add_promise(env, exports, "writeAdapter", [](const Napi::CallbackInfo& info) {
    return write_task(info, [path = string(info[1], "path")](Snapshot& snapshot) { snapshot.write_adapter(path); });
  });
  add_promise(env, exports, "writeOptimizer", [](const Napi::CallbackInfo& info) {
    return write_task(info, [path = string(info[1], "path")](Snapshot& snapshot) { snapshot.write_optimizer(path); });
  });
}

}  // namespace magic
