#include "cuda/device_graph.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/util/Exception.h>

#include <exception>
#include <set>
#include <string>
#include <utility>

#include "cuda/device_kernels.h"
#include "runtime/trace.h"

namespace magic {

namespace {

// How often memory of the device was asked for.
int64_t allocation_count(c10::Device device) {
  const auto statistics = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
  return statistics.allocation[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)].allocated;
}

// A profile shows why there is no graph.
void note(const std::string& reason) {
  static auto* const reasons = new std::set<std::string>;  // spans keep their names' addresses
  const Span span(reasons->insert("not captured: " + reason).first->c_str());
}

}  // namespace

std::unique_ptr<DeviceGraph> DeviceGraph::record(c10::Device device, std::function<void()> work) {
  const Span span("capture");
  std::unique_ptr<DeviceGraph> graph(new DeviceGraph(device));
  const DeviceQueue queue(device);
  if (queue.kernels().on_cpu) return record_on_cpu(std::move(graph), queue.kernels(), std::move(work));
  if (queue.where().stream == nullptr) return note("this libtorch tells no stream's handle"), nullptr;
  const int64_t allocations = allocation_count(device);
  std::string reason;
  const auto failed = [&](const std::string& what) {
    if (reason.empty()) reason = what;
  };
  if (const int error = queue.kernels().begin_capture(queue.where()); error != 0) {
    return note(queue.kernels().describe(error)), nullptr;
  }
  // What was not for the capture's sake is thrown again when the same work is done without one.
  try {
    work();
  } catch (const c10::Error& error) {
    failed(error.what_without_backtrace());
  } catch (const std::exception& error) {
    failed(error.what());
  }
  const int error = queue.kernels().end_capture(queue.where(), &graph->graph_);
  if (error != 0) failed(queue.kernels().describe(error));
  const int64_t more = allocation_count(device) - allocations;
  if (more != 0) failed("libtorch asked for memory " + std::to_string(more) + " times");
  if (!reason.empty()) return note(reason), nullptr;
  return graph;
}

// Nothing is recorded, but the emulation may refuse it as a device may.
std::unique_ptr<DeviceGraph> DeviceGraph::record_on_cpu(std::unique_ptr<DeviceGraph> graph,
                                                        const DeviceKernels& kernels, std::function<void()> work) {
  const Launch where{0, graph.get()};
  if (const int error = kernels.begin_capture(where); error != 0) return note(kernels.describe(error)), nullptr;
  check_launch(kernels, kernels.end_capture(where, &graph->graph_));
  graph->work_ = std::move(work);
  return graph;
}

DeviceGraph::~DeviceGraph() {
  if (graph_) device_kernels(device_)->drop_graph(graph_);
}

void DeviceGraph::replay() const {
  const Span span("replay");
  if (work_) return work_();
  const DeviceQueue queue(device_);
  check_launch(queue.kernels(), queue.kernels().replay(queue.where(), graph_));
}

}  // namespace magic
