#include "napi/promise_task.h"

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "napi/error.h"

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

  // The id of the call that is added next.
  uint64_t next_id() const { return last_id_ + 1; }

  void add(Napi::Env env, napi_deferred deferred, std::shared_ptr<Cancel> cancel, Napi::FunctionReference on_progress,
           Napi::FunctionReference on_part) {
    // A promise under way keeps the environment alive, as a pending file read does.
    if (calls_.empty()) napi_ref_threadsafe_function(env, channel_->function());
    calls_.emplace(++last_id_,
                   Call{deferred, std::move(cancel), std::move(on_progress), std::move(on_part), std::nullopt});
  }

  void settle(Napi::Env env, uint64_t id, const Deliver& deliver) {
    const auto call = take(env, id);
    try {
      if (call.callback_error) throw Napi::Error(*call.callback_error);
      napi_resolve_deferred(env, call.deferred, deliver(env));
    } catch (const Napi::Error& error) {
      napi_reject_deferred(env, call.deferred, error.Value());
    } catch (...) {
      reject(env, call.deferred, current_failure());
    }
  }

  void fail(Napi::Env env, uint64_t id, const Failure& failure) {
    const auto call = take(env, id);
    if (call.callback_error)
      napi_reject_deferred(env, call.deferred, call.callback_error->Value());
    else
      reject(env, call.deferred, failure);
  }

  void progress(Napi::Env env, uint64_t id, int64_t first, int64_t second) {
    report(id, &Call::on_progress, [&](Napi::FunctionReference& callback) {
      callback.Call(
          {Napi::Number::New(env, static_cast<double>(first)), Napi::Number::New(env, static_cast<double>(second))});
    });
  }

  void part(Napi::Env env, uint64_t id, const Deliver& deliver) {
    report(id, &Call::on_part, [&](Napi::FunctionReference& callback) { callback.Call({deliver(env)}); });
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
    Napi::FunctionReference on_part;
    std::optional<Napi::Error> callback_error;
  };

  // A callback that throws stops the call and becomes its rejection; it is not called again.
  template <typename Invoke>
  void report(uint64_t id, Napi::FunctionReference Call::*callback, const Invoke& invoke) {
    const auto found = calls_.find(id);
    if (found == calls_.end() || (found->second.*callback).IsEmpty() || found->second.callback_error) return;
    try {
      invoke(found->second.*callback);
    } catch (const Napi::Error& error) {
      found->second.callback_error = error;
      if (found->second.cancel) found->second.cancel->requested = true;
    }
  }

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

Reports reports_of(const Task& task, const std::shared_ptr<Channel>& channel, uint64_t id) {
  Reports reports{[](int64_t, int64_t) {}, [](const Deliver&) {}};
  if (!task.on_progress.IsEmpty()) {
    auto last = std::make_shared<std::chrono::steady_clock::time_point>();
    reports.progress = [channel, id, last](int64_t first, int64_t second) {
      const auto now = std::chrono::steady_clock::now();
      if (now - *last < kProgressInterval) return;
      *last = now;
      channel->send([=](Napi::Env env, Calls& calls) { calls.progress(env, id, first, second); });
    };
  }
  if (!task.on_part.IsEmpty()) {
    reports.part = [channel, id](Deliver deliver) {
      channel->send([id, deliver = std::move(deliver)](Napi::Env env, Calls& calls) { calls.part(env, id, deliver); });
    };
  }
  return reports;
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
    auto& thread = task.thread == nullptr ? torch_thread() : *task.thread;
    const auto channel = calls.channel();
    const auto cancel = task.cancel;
    const auto id = calls.next_id();
    const Reports reports = reports_of(task, channel, id);
    calls.add(env, deferred, cancel, std::move(task.on_progress), std::move(task.on_part));
    thread.post(
        [channel, cancel, id, reports, run = std::move(task.run)]() mutable {
          if (channel->closed()) return;
          Message message;
          try {
            if (cancel) cancel->check();
            message = [id, deliver = run(reports)](Napi::Env env, Calls& calls) { calls.settle(env, id, deliver); };
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
