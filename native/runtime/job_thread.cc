#include "runtime/job_thread.h"

#include <c10/core/InferenceMode.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <utility>

namespace magic {

namespace {
constexpr auto kExitPatience = std::chrono::seconds(2);
}

// Leaked on purpose: a destructor at exit would race with the thread.
JobThread& torch_thread() {
  static auto* thread = new JobThread("torch");
  return *thread;
}

JobThread& file_thread() {
  static auto* thread = new JobThread("files");
  return *thread;
}

JobThread::JobThread(const char* name) : name_(name) {
  // Signals belong to Node's own thread; new threads inherit the mask.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread([this] { loop(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  id_ = thread.get_id();
  thread.detach();
}

void JobThread::post(std::function<void()> job, std::shared_ptr<Cancel> cancel) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    queue_.push_back({std::move(job), std::move(cancel)});
  }
  posted_.notify_one();
}

void JobThread::loop() {
  // Gradients are written by hand, so nothing on this thread ever records a graph.
  c10::InferenceMode inference;
#ifdef __linux__
  pthread_setname_np(pthread_self(), name_);
#endif
  for (uint64_t count = 1;; ++count) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      busy_ = false;
      running_cancel_ = nullptr;
      idle_.notify_all();
      posted_.wait(lock, [this] { return !queue_.empty() && !stopping_; });
      job = std::move(queue_.front());
      queue_.pop_front();
      running_cancel_ = job.cancel;
      busy_ = true;
    }
#ifdef __GLIBC__
    // Handlers run in the reverse order of registration: again after 1, 2, 4, ... jobs, so that ours comes before the
    // destructors of what libtorch built lazily in between.
    if ((count & (count - 1)) == 0) on_exit(at_exit, this);
#endif
    job.run();
  }
}

// Destructors of libtorch's statics run next: no work may be under way then. What can't be cancelled in time ends the
// process here, with the same status.
void JobThread::at_exit(int status, void* self) {
  auto& thread = *static_cast<JobThread*>(self);
  std::unique_lock lock(thread.mutex_);
  thread.stopping_ = true;
  if (thread.running_cancel_) thread.running_cancel_->requested = true;
  if (!thread.idle_.wait_for(lock, kExitPatience, [&] { return !thread.busy_; })) _exit(status);
}

}  // namespace magic
