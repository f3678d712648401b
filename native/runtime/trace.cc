#include "runtime/trace.h"

#include <memory>
#include <utility>

namespace magic {

namespace {

// 24 MB of events; a step of a small model has some ten thousand.
constexpr size_t kMostEvents = 1 << 20;

std::unique_ptr<Trace> recording;

}  // namespace

thread_local Trace* Trace::current_ = nullptr;

void Trace::start() {
  recording = std::make_unique<Trace>();
  current_ = recording.get();
}

Trace Trace::stop() {
  Trace trace = recording ? std::move(*recording) : Trace();
  recording = nullptr;
  current_ = nullptr;
  return trace;
}

void Trace::add(const char* name, double begin) {
  if (events.size() < kMostEvents) {
    events.push_back({name, begin, now()});
  } else {
    dropped++;
  }
}

void Span::end() const {
  // Null where the recording was stopped in between.
  if (Trace* trace = Trace::current()) trace->add(name_, begin_);
}

}  // namespace magic
