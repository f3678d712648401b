#include "napi/promise_task.h"

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "napi/error.h"
#include "runtime/torch_thread.h"

namespace magic {

namespace {

constexpr auto kProgressInterval = std::chrono::milliseconds(100);

class Calls;
using Message = std::function<void(Napi::Env, Calls&)>;

// The way from the torch thread to one environment. Outlives the environment; once that is gone, messages are dropped.
class Channel {
 public:
  // False: the environment is gone.
  bool send(Message message) {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    messages_.push_back(std::move(message));
    // Node frees the function when the environment ends, so it is called only under the lock that close() takes.
    if (messages_.size() == 1) napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking);
    return true;
  }

  std::vector<Message> receive() {
    std::lock_guard lock(mutex_);
    return std::exchange(messages_, {});
  }

  void open(napi_threadsafe_function function) { function_ = function; }
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  bool closed() {
    std::lock_guard lock(mutex_);
    return closed_;
  }
  napi_threadsafe_function function() const { return function_; }

 private:
  std::mutex mutex_;
  std::vector<Message> messages_;
  napi_threadsafe_function function_ = nullptr;
  bool closed_ = false;
};

// The calls of one environment that have not settled. Lives and dies on its JS thread.
class Calls {
 public:
  explicit Calls(std::shared_ptr<Channel> channel) : channel_(std::move(channel)) {}

  std::shared_ptr<Channel> channel() const { return channel_; }

  uint64_t add(Napi::Env env, napi_deferred deferred, std::shared_ptr<Cancel> cancel,
               Napi::FunctionReference on_progress) {
    // A promise under way keeps the environment alive, as a pending file read does.
    if (calls_.empty()) napi_ref_threadsafe_function(env, channel_->function());
    calls_.emplace(++last_id_, Call{deferred, std::move(cancel), std::move(on_progress), std::nullopt});
    return last_id_;
  }

  void settle(Napi::Env env, uint64_t id, const Deliver& deliver) {
    const auto call = take(env, id);
    try {
      if (call.progress_error) throw Napi::Error(*call.progress_error);
      napi_resolve_deferred(env, call.deferred, deliver(env));
    } catch (const Napi::Error& error) {
      napi_reject_deferred(env, call.deferred, error.Value());
    } catch (...) {
      reject(env, call.deferred, current_failure());
    }
  }

  void fail(Napi::Env env, uint64_t id, const Failure& failure) {
    const auto call = take(env, id);
    if (call.progress_error)
      napi_reject_deferred(env, call.deferred, call.progress_error->Value());
    else
      reject(env, call.deferred, failure);
  }

  // A callback that throws stops the call and becomes its rejection.
  void progress(Napi::Env env, uint64_t id, int64_t first, int64_t second) {
    const auto found = calls_.find(id);
    if (found == calls_.end() || found->second.on_progress.IsEmpty()) return;
    try {
      found->second.on_progress.Call(
          {Napi::Number::New(env, static_cast<double>(first)), Napi::Number::New(env, static_cast<double>(second))});
    } catch (const Napi::Error& error) {
      found->second.progress_error = error;
      if (found->second.cancel) found->second.cancel->requested = true;
    }
  }

  // The environment ends: nobody waits for the work any more.
  void close() {
    channel_->close();
    for (auto& [id, call] : calls_)
      if (call.cancel) call.cancel->requested = true;
  }

 private:
  struct Call {
    napi_deferred deferred;
    std::shared_ptr<Cancel> cancel;
    Napi::FunctionReference on_progress;
    std::optional<Napi::Error> progress_error;
  };

  Call take(Napi::Env env, uint64_t id) {
    auto node = calls_.extract(id);
    if (calls_.empty()) napi_unref_threadsafe_function(env, channel_->function());
    return std::move(node.mapped());
  }

  static void reject(Napi::Env env, napi_deferred deferred, const Failure& failure) {
    napi_reject_deferred(env, deferred, to_js_error(env, failure).Value());
  }

  std::shared_ptr<Channel> channel_;
  std::map<uint64_t, Call> calls_;
  uint64_t last_id_ = 0;
};

// Node calls it on the JS thread, with no env where that is going away.
void drain(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;
  auto& calls = *static_cast<Calls*>(context);
  for (auto& message : calls.channel()->receive()) {
    Napi::HandleScope scope(env);
    try {
      message(env, calls);
    } catch (const Napi::Error&) {
      // The environment is ending and takes no more values.
    }
  }
}

Progress throttled(const std::shared_ptr<Channel>& channel, uint64_t id) {
  auto last = std::make_shared<std::chrono::steady_clock::time_point>();
  return [channel, id, last](int64_t first, int64_t second) {
    const auto now = std::chrono::steady_clock::now();
    if (now - *last < kProgressInterval) return;
    *last = now;
    channel->send([=](Napi::Env env, Calls& calls) { calls.progress(env, id, first, second); });
  };
}

}  // namespace

void prepare_promises(Napi::Env env) {
  auto channel = std::make_shared<Channel>();
  auto* calls = new Calls(channel);
  napi_threadsafe_function function = nullptr;
  const auto name = Napi::String::New(env, "magic-grpo");
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, calls, drain, &function) !=
      napi_ok)
    throw Napi::Error::New(env);
  napi_unref_threadsafe_function(env, function);
  channel->open(function);
  env.SetInstanceData(calls);
  // Hooks run in the reverse order of their registration: this one before Node frees the function.
  env.AddCleanupHook([calls] { calls->close(); });
}

Napi::Value promise_task(Napi::Env env, const std::function<Task()>& prepare) {
  auto& calls = *env.GetInstanceData<Calls>();
  napi_deferred deferred = nullptr;
  napi_value promise = nullptr;
  if (napi_create_promise(env, &deferred, &promise) != napi_ok) throw Napi::Error::New(env);
  try {
    Task task = prepare();
    const auto channel = calls.channel();
    const auto cancel = task.cancel;
    const bool reports = !task.on_progress.IsEmpty();
    const auto id = calls.add(env, deferred, cancel, std::move(task.on_progress));
    const Progress progress = reports ? throttled(channel, id) : [](int64_t, int64_t) {};
    TorchThread::instance().post(
        [channel, cancel, id, progress, run = std::move(task.run)]() mutable {
          if (channel->closed()) return;
          Message message;
          try {
            if (cancel) cancel->check();
            message = [id, deliver = run(progress)](Napi::Env env, Calls& calls) { calls.settle(env, id, deliver); };
          } catch (...) {
            message = [id, failure = current_failure()](Napi::Env env, Calls& calls) { calls.fail(env, id, failure); };
          }
          // Lets go of the policy before the promise settles: after dispose() its memory is free by then.
          run = nullptr;
          channel->send(std::move(message));
        },
        cancel);
  } catch (const Napi::Error& error) {
    napi_reject_deferred(env, deferred, error.Value());
  } catch (...) {
    napi_reject_deferred(env, deferred, to_js_error(env, current_failure()).Value());
  }
  return {env, promise};
}

}  // namespace magic
