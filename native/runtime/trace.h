#pragma once
// What the torch thread did when, for a profile. Off by default; a span then costs one branch.

#include <chrono>
#include <cstdint>
#include <vector>

namespace magic {

// A piece of work on the torch thread, in microseconds of the steady clock. `name` is a literal.
struct TraceEvent {
  const char* name;
  double begin, end;
};

class Trace {
 public:
  // Of this thread while it records, else null: other threads that compute for it record nothing.
  static Trace* current() { return current_; }
  // Both on the torch thread. Starting again forgets what was recorded.
  static void start();
  static Trace stop();

  static double now() {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  void add(const char* name, double begin);

  std::vector<TraceEvent> events;  // in the order of their ends
  int64_t dropped = 0;             // events past the bound on memory

 private:
  friend class Brief;
  static thread_local Trace* current_;
};

// Records its own life under a name: `const Span span("head");`.
class Span {
 public:
  explicit Span(const char* name) : name_(name), begin_(Trace::current() ? Trace::now() : 0) {}
  ~Span() {
    if (begin_ > 0) end();
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  void end() const;

  const char* name_;
  double begin_;
};

// While it lives, spans inside of it are left out: work that comes by the thousand is recorded as a whole.
class Brief {
 public:
  explicit Brief(bool brief) : trace_(Trace::current_) {
    if (brief) Trace::current_ = nullptr;
  }
  ~Brief() { Trace::current_ = trace_; }
  Brief(const Brief&) = delete;
  Brief& operator=(const Brief&) = delete;

 private:
  Trace* trace_;
};

}  // namespace magic
