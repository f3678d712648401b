#include "runtime/memory.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/util/Exception.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#if __has_include(<oneapi/dnnl/dnnl_common.hpp>)
#include <oneapi/dnnl/dnnl_common.hpp>
#endif

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>

#include "runtime/block_heap.h"
#include "runtime/control_group.h"

namespace magic {

namespace {

// Pages that the block heap holds and no tensor uses: at most what is resident beyond what tensors take.
int64_t reusable_bytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0, shared = 0;
  if (!(statm >> size >> resident >> shared)) return 0;
  const int64_t beyond = (resident - shared) * sysconf(_SC_PAGESIZE) - block_heap_used_bytes();
  return std::clamp<int64_t>(beyond, 0, block_heap_free_bytes());
}

// Its messages only say what could not be created, so its status has to.
bool is_onednn_out_of_memory([[maybe_unused]] const std::exception& error) {
#if __has_include(<oneapi/dnnl/dnnl_common.hpp>)
  const auto* refused = dynamic_cast<const dnnl::error*>(&error);
  return refused != nullptr && refused->status == dnnl_out_of_memory;
#else
  return false;
#endif
}

}  // namespace

int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  return statm >> size >> resident ? resident * sysconf(_SC_PAGESIZE) : peak_resident_bytes();
}

int64_t peak_resident_bytes() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
#ifdef __APPLE__
  return usage.ru_maxrss;
#else
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
#endif
}

int64_t peak_memory_bytes(c10::Device device) {
  if (device.is_cpu()) return peak_resident_bytes();
  const auto statistics = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
  return statistics.allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak;
}

int64_t free_memory_bytes(c10::Device device) {
  if (!device.is_cpu()) {
    auto* allocator = c10::getDeviceAllocator(device.type());
    const auto statistics = allocator->getDeviceStats(device.index());
    constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    return static_cast<int64_t>(allocator->getMemoryInfo(device.index()).first) +
           statistics.reserved_bytes[kAll].current - statistics.allocated_bytes[kAll].current;
  }
  int64_t free = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE) / 2;
  std::ifstream memory("/proc/meminfo");
  for (std::string name, rest; memory >> name && std::getline(memory, rest);) {
    if (name == "MemAvailable:") free = std::stoll(rest) * 1024;
  }
  return std::min(free, control_group_free_bytes().value_or(free)) + reusable_bytes();
}

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) || dynamic_cast<const c10::OutOfMemoryError*>(&error)) return true;
  if (is_onednn_out_of_memory(error)) return true;
  const std::string text = error.what();
  return text.find("DefaultCPUAllocator") != std::string::npos || text.find("out of memory") != std::string::npos;
}

ExtraMemory::ExtraMemory(c10::Device device) : device_(device) {
  if (device.is_cpu()) {
    return_free_memory();
    std::ofstream("/proc/self/clear_refs") << 5;
  } else {
    c10::getDeviceAllocator(device.type())->resetPeakStats(device.index());
  }
  before_ = peak_memory_bytes(device);
}

int64_t ExtraMemory::bytes() const { return peak_memory_bytes(device_) - before_; }

void tune_allocator() {
  install_block_heap();
#ifdef __GLIBC__
  // What the user set in the environment stands.
  if (std::getenv("MALLOC_MMAP_THRESHOLD_") == nullptr) mallopt(M_MMAP_THRESHOLD, INT_MAX);
  if (std::getenv("MALLOC_TRIM_THRESHOLD_") == nullptr) mallopt(M_TRIM_THRESHOLD, INT_MAX);
  // Only the main arena grows without a bound: elsewhere a block above 64 MB is mapped and faulted in each time.
  if (std::getenv("MALLOC_ARENA_MAX") == nullptr) mallopt(M_ARENA_MAX, 1);
  if (std::getenv("MALLOC_TOP_PAD_") == nullptr) mallopt(M_TOP_PAD, 64 << 20);
#endif
}

void return_free_memory() {
  trim_block_heap();
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace magic
