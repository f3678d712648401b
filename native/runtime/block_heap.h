#pragma once
// Where large tensors live on the CPU. malloc gives a thread's large blocks back to the system and has it fault in and
// clear fresh pages for the next ones, in pieces of 64 MB where the thread does not have the main arena (which mallopt
// decides too late in a process that has threads): a fifth of a training step. Here freed blocks stay, side by side in
// one range of addresses, so that they join and fit what comes next.

#include <cstdint>

namespace magic {

// Tensors of libtorch from now on. Nothing where the system does not let a range be reserved.
void install_block_heap();

// What tensors take of it, and what it holds free of what it has grown to, whether or not pages are behind it.
int64_t block_heap_used_bytes();
int64_t block_heap_free_bytes();

// Gives the pages of free blocks back to the system.
void trim_block_heap();

}  // namespace magic
