#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

namespace magic {

// Runs body(begin, end, next) for the rows of W [out, in], some at a time, at most `panel`; `next`: where the same
// thread goes on, `out` where it doesn't, so that it can fetch ahead. Panels go to whichever thread is free, so that
// one that is held up holds nobody up. rows: those of x.
template <typename Body>
void for_weight_panels(int64_t panel, int64_t rows, int64_t in, int64_t out, const Body& body) {
  while (panel % 2 == 0 && out < 4 * panel * at::get_num_threads()) panel /= 2;
  const int64_t panels = (out + panel - 1) / panel;
  // A thread is worth waking for some ten microseconds of work.
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), 1 + out * in * (4 + rows) / 200000);
  std::atomic<int64_t> free{0};
  at::parallel_for(0, threads, 1, [&](int64_t, int64_t) {
    int64_t i = free++;
    while (i < panels) {
      const int64_t next = free++;
      body(i * panel, std::min(out, (i + 1) * panel), std::min(out, next * panel));
      i = next;
    }
  });
}

}  // namespace magic
