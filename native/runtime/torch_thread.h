#pragma once
// The one thread of the process that owns all torch state. Jobs run on it in the order in which they were posted.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "runtime/cancel.h"

namespace magic {

class TorchThread {
 public:
  // Started at first use and never joined: what is queued or runs when the process exits is dropped.
  static TorchThread& instance();

  // A job must not throw. `cancel` is raised where the process exits while the job runs.
  void post(std::function<void()> job, std::shared_ptr<Cancel> cancel = nullptr);
  bool is_current() const { return std::this_thread::get_id() == id_; }

 private:
  struct Job {
    std::function<void()> run;
    std::shared_ptr<Cancel> cancel;
  };

  TorchThread();
  [[noreturn]] void loop();
  static void at_exit(int status, void* self);

  std::mutex mutex_;
  std::condition_variable posted_, idle_;
  std::deque<Job> queue_;
  std::shared_ptr<Cancel> running_cancel_;
  bool busy_ = false;
  bool stopping_ = false;
  std::thread::id id_;
};

}  // namespace magic
