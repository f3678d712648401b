#pragma once
// Work on a device that was queued once and is queued again by one call.

#include <c10/core/Device.h>

#include <functional>
#include <memory>

#include "cuda/kernels.h"

namespace magic {

class DeviceGraph {
 public:
  // Records what the work queues on this thread's stream, without running it. Null where it can't be recorded: the work
  // waits for the device, or takes memory from libtorch, which would be somebody else's at a replay. The work has been
  // done before, so that libraries have loaded what it needs.
  static std::unique_ptr<DeviceGraph> record(c10::Device device, std::function<void()> work);
  ~DeviceGraph();
  DeviceGraph(const DeviceGraph&) = delete;
  DeviceGraph& operator=(const DeviceGraph&) = delete;

  // On the same addresses as when it was recorded, whatever they hold by now.
  void replay() const;

 private:
  explicit DeviceGraph(c10::Device device) : device_(device) {}
  static std::unique_ptr<DeviceGraph> record_on_cpu(std::unique_ptr<DeviceGraph> graph, const DeviceKernels& kernels,
                                                    std::function<void()> work);

  c10::Device device_;
  void* graph_ = nullptr;
  std::function<void()> work_;  // where kernels are emulated: libtorch's part on the CPU can only be done again
};

}  // namespace magic
