#pragma once
// A flag set from the main thread and read on the torch thread at each token or micro-batch.

#include <atomic>

#include "runtime/error.h"

namespace magic {

struct Cancel {
  std::atomic<bool> requested{false};

  void check() const {
    if (requested.load(std::memory_order_relaxed)) throw Error("ABORTED", "the call was aborted");
  }
};

}  // namespace magic
