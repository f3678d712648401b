#pragma once
// One thread reads tensors piece by piece, another changes them now and then: who changes is let in after one piece.

#include <atomic>
#include <mutex>

namespace magic {

class ReadGate {
 public:
  // Held while a piece is read. Waits where there is a change under way or asked for: a mutex alone would be taken
  // again by the reader before the other thread wakes up.
  std::unique_lock<std::mutex> read() {
    changing_.wait(true);
    return std::unique_lock(mutex_);
  }

  // Held while tensors change.
  class Change {
   public:
    explicit Change(ReadGate& gate) : gate_(gate) {
      gate_.changing_ = true;
      gate_.mutex_.lock();
    }
    ~Change() {
      gate_.mutex_.unlock();
      gate_.changing_ = false;
      gate_.changing_.notify_all();
    }
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

   private:
    ReadGate& gate_;
  };

 private:
  std::mutex mutex_;
  std::atomic<bool> changing_{false};
};

}  // namespace magic
