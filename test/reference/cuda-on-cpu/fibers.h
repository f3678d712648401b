#pragma once
// The threads of one block, as fibers of one thread: each runs until it waits for the others.

#include <cstdint>
#include <functional>

namespace fibers {

// The order in which threads that could go on do.
enum class Order { kRising, kFalling, kShuffled };
extern Order order;

// Runs `threads` copies of body; `enter` is told before each one goes on.
void run(unsigned threads, const std::function<void()>& body, void (*enter)(unsigned));

// Returns when every thread of the block has called it.
void meet_block();

// Gives `value` to the warp. Returns when every lane of the mask, of the caller's warp, has called it with the same
// mask: what each of them gave, by lane, until the caller's next meeting.
const uint64_t* meet_warp(unsigned mask, uint64_t value);

}  // namespace fibers
