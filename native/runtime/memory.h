#pragma once
// What the process holds, and how its allocator behaves.

#include <c10/core/Device.h>

#include <cstdint>
#include <exception>

namespace magic {

// Resident size of the process: now, and at its highest so far.
int64_t resident_bytes();
int64_t peak_resident_bytes();

// The same on the CPU; on CUDA the highest number of bytes allocated on the device.
int64_t peak_memory_bytes(c10::Device device);

// What can be allocated before something else has to go: by the system's estimate, within the limits of the
// control groups, and what the allocator holds free (Linux, CUDA); half of the machine's memory where nothing is known.
int64_t free_memory_bytes(c10::Device device);

// Whether it says that memory ran out, whichever allocator it comes from.
bool is_out_of_memory(const std::exception& error);

// What work needs beyond what is held when the meter is made: resident memory on the CPU, allocated memory on CUDA.
class ExtraMemory {
 public:
  // Starts the count of the highest size anew, where the system allows it (Linux, CUDA).
  explicit ExtraMemory(c10::Device device);
  int64_t bytes() const;

 private:
  c10::Device device_;
  int64_t before_;
};

// Keeps large blocks in the process instead of giving them back to the kernel and faulting them in again at the next
// micro-batch: tensors in the block heap, what else is large in malloc's. Called once, before the first tensor.
void tune_allocator();

// Gives what is free back to the kernel, as the tuned allocator does not by itself: after a policy is gone.
void return_free_memory();

}  // namespace magic
