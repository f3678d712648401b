#pragma once

#include <algorithm>

#include "runtime/share_tasks.h"

namespace magic {

// Runs body(begin, end, next) for the rows of W [out, in], some at a time, at most `panel`; `next`: where the same
// thread goes on, `out` where it doesn't, so that it can fetch ahead. rows: those of x.
template <typename Body>
void for_weight_panels(int64_t panel, int64_t rows, int64_t in, int64_t out, const Body& body) {
  while (panel % 2 == 0 && out < 4 * panel * at::get_num_threads()) panel /= 2;
  const int64_t panels = (out + panel - 1) / panel;
  // A thread is worth waking for some ten microseconds of work.
  const int64_t threads = 1 + out * in * (4 + rows) / 200000;
  share_tasks(panels, threads, [&](const auto& take) {
    for (int64_t i = take(), next; i < panels; i = next) {
      next = take();
      body(i * panel, std::min(out, (i + 1) * panel), std::min(out, next * panel));
    }
  });
}

}  // namespace magic
