#pragma once
// The stream of a CUDA device that a thread queues its work on: libtorch's and that of the kernels.

#include <c10/core/Device.h>

namespace magic {

// From now on this thread's work on the device goes to a stream of its own: what goes to the default stream can't be
// captured in graphs. Nothing on the CPU, and where libtorch does not tell a stream's handle.
void leave_default_stream(c10::Device device);

// cudaStream_t; null: the default stream, or the CPU.
void* current_stream(c10::Device device);

}  // namespace magic
