#include "fibers.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace fibers {

Order order = Order::kRising;

namespace {

constexpr size_t kStackBytes = 256 << 10;
constexpr unsigned kLargestBlock = 1024, kWarp = 32;

#if defined(__x86_64__)
// swapcontext() enters the kernel twice for the signal mask, which is all of its cost. The registers that a call keeps,
// on the stack; the stack pointer is the context.
struct Context {
  void* stack = nullptr;
};

extern "C" void magic_switch_stack(void** from, void* to);
asm(R"(
.text
.hidden magic_switch_stack
.globl magic_switch_stack
.type magic_switch_stack, @function
magic_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size magic_switch_stack, .-magic_switch_stack
)");

void prepare(Context& context, char* stack, void (*start)()) {
  // Below the end, where a call would have left it: the six registers, the start, and an end of the frames.
  void** top = reinterpret_cast<void**>(stack + kStackBytes) - 8;
  std::fill(top, top + 8, nullptr);
  top[6] = std::bit_cast<void*>(start);
  context.stack = top;
}

void swap(Context& from, Context& to) { magic_switch_stack(&from.stack, to.stack); }
#else
struct Context {
  ucontext_t context;
};

void prepare(Context& context, char* stack, void (*start)()) {
  getcontext(&context.context);
  context.context.uc_stack = {stack, 0, kStackBytes};
  context.context.uc_link = nullptr;
  makecontext(&context.context, start, 0);
}

void swap(Context& from, Context& to) { swapcontext(&from.context, &to.context); }
#endif

enum class State { kReady, kAtBlock, kAtWarp, kDone };

struct Fiber {
  Context context;
  State state;
  unsigned mask;
  uint64_t given;
};

Fiber fibers[kLargestBlock];
uint64_t exchanged[kLargestBlock];  // what the fibers gave at the last meeting of their warp
Context scheduler;
unsigned current = 0, count = 0;
const std::function<void()>* body_of_block = nullptr;
char* stacks = nullptr;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "CUDA on the CPU: %s\n", what);
  std::abort();
}

const void* scheduler_stack = nullptr;
size_t scheduler_stack_bytes = 0;
#if defined(__SANITIZE_ADDRESS__)
void leaving(void** fake, const void* stack, size_t bytes) { __sanitizer_start_switch_fiber(fake, stack, bytes); }
void entered(void* fake, const void** stack, size_t* bytes) { __sanitizer_finish_switch_fiber(fake, stack, bytes); }
#else
void leaving(void**, const void*, size_t) {}
void entered(void*, const void**, size_t*) {}
#endif

void to_scheduler(bool for_good) {
  void* fake = nullptr;
  Fiber& own = fibers[current];
  leaving(for_good ? nullptr : &fake, scheduler_stack, scheduler_stack_bytes);
  swap(own.context, scheduler);
  entered(fake, &scheduler_stack, &scheduler_stack_bytes);
}

void begin() {
  entered(nullptr, &scheduler_stack, &scheduler_stack_bytes);
  (*body_of_block)();
  fibers[current].state = State::kDone;
  to_scheduler(true);
}

void resume(unsigned thread) {
  void* fake = nullptr;
  current = thread;
  leaving(&fake, stacks + thread * kStackBytes, kStackBytes);
  swap(scheduler, fibers[thread].context);
  entered(fake, nullptr, nullptr);
}

void release_warp(unsigned warp) {
  for (unsigned i = warp; i < warp + kWarp; i++) {
    if (fibers[i].state != State::kAtWarp) continue;
    const unsigned mask = fibers[i].mask;
    bool all = true;
    for (unsigned lane = 0; lane < kWarp; lane++) {
      const Fiber& other = fibers[warp + lane];
      if (mask >> lane & 1) all &= other.state == State::kAtWarp && other.mask == mask;
    }
    if (!all) continue;
    for (unsigned lane = 0; lane < kWarp; lane++) {
      if (!(mask >> lane & 1)) continue;
      fibers[warp + lane].state = State::kReady;
      exchanged[warp + lane] = fibers[warp + lane].given;
    }
  }
}

// Lets those go on that have met.
void release() {
  if (std::all_of(fibers, fibers + count, [](const Fiber& fiber) { return fiber.state == State::kAtBlock; })) {
    for (unsigned i = 0; i < count; i++) fibers[i].state = State::kReady;
  }
  for (unsigned warp = 0; warp < count; warp += kWarp) release_warp(warp);
}

std::vector<unsigned> turns_of(unsigned threads) {
  std::vector<unsigned> turns(threads);
  std::iota(turns.begin(), turns.end(), 0u);
  if (order == Order::kFalling) std::reverse(turns.begin(), turns.end());
  if (order == Order::kShuffled) {
    uint64_t state = 1;
    for (unsigned i = threads; i > 1; i--) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      std::swap(turns[i - 1], turns[(state >> 33) % i]);
    }
  }
  return turns;
}

}  // namespace

void run(unsigned threads, const std::function<void()>& body, void (*enter)(unsigned)) {
  if (!stacks) {
    stacks = static_cast<char*>(mmap(nullptr, kLargestBlock * kStackBytes, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (stacks == MAP_FAILED) fail("no memory for the stacks");
  }
  count = threads;
  body_of_block = &body;
  const std::vector<unsigned> turns = turns_of(threads);
  for (unsigned i = 0; i < threads; i++) {
    fibers[i].state = State::kReady;
    prepare(fibers[i].context, stacks + i * kStackBytes, begin);
  }
  for (unsigned done = 0; done < threads;) {
    bool moved = false;
    for (const unsigned thread : turns) {
      if (fibers[thread].state != State::kReady) continue;
      enter(thread);
      resume(thread);
      moved = true;
      done += fibers[thread].state == State::kDone;
    }
    if (!moved) fail("threads wait for others that will not come: a barrier or a shuffle is not reached by all");
    release();
  }
}

void meet_block() {
  fibers[current].state = State::kAtBlock;
  to_scheduler(false);
}

const uint64_t* meet_warp(unsigned mask, uint64_t value) {
  const unsigned own = current;
  if (!(mask >> own % kWarp & 1)) fail("a lane is not in the mask of its own shuffle");
  fibers[own].state = State::kAtWarp;
  fibers[own].mask = mask;
  fibers[own].given = value;
  to_scheduler(false);
  return exchanged + own / kWarp * kWarp;
}

}  // namespace fibers
