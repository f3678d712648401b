#pragma once
// Threads of the process on which jobs run in the order in which they were posted: one that owns all torch state, and
// one that writes files from snapshots of it.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "runtime/cancel.h"

namespace magic {

class JobThread {
 public:
  // A job must not throw. `cancel` is raised where the process exits while the job runs.
  void post(std::function<void()> job, std::shared_ptr<Cancel> cancel = nullptr);
  bool is_current() const { return std::this_thread::get_id() == id_; }

 private:
  struct Job {
    std::function<void()> run;
    std::shared_ptr<Cancel> cancel;
  };

  friend JobThread& torch_thread();
  friend JobThread& file_thread();

  explicit JobThread(const char* name);
  [[noreturn]] void loop();
  static void at_exit(int status, void* self);

  std::mutex mutex_;
  std::condition_variable posted_, idle_;
  std::deque<Job> queue_;
  std::shared_ptr<Cancel> running_cancel_;
  bool busy_ = false;
  bool stopping_ = false;
  const char* name_;
  std::thread::id id_;
};

// Started at first use and never joined: what is queued or runs when the process exits is dropped.
JobThread& torch_thread();
JobThread& file_thread();

}  // namespace magic
