#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace magic {

// Calls work(next) on as many threads as there are, at most `threads`; next() is the next task of [0, tasks), or not
// below `tasks` where none is left. Whichever thread is free takes it: tasks differ, and a thread that is held up by
// what else the machine does holds nobody up.
template <typename Work>
void share_tasks(int64_t tasks, int64_t threads, const Work& work) {
  std::atomic<int64_t> taken{0};
  const auto next = [&taken] { return taken++; };
  threads = std::min({tasks, threads, static_cast<int64_t>(at::get_num_threads())});
  at::parallel_for(0, threads, 1, [&](int64_t, int64_t) { work(next); });
}

template <typename Work>
void share_tasks(int64_t tasks, const Work& work) {
  share_tasks(tasks, tasks, work);
}

}  // namespace magic
