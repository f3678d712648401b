#include "runtime/memory.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <sys/resource.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <string>

#include "runtime/block_heap.h"

namespace magic {

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
    return static_cast<int64_t>(c10::getDeviceAllocator(device.type())->getMemoryInfo(device.index()).first);
  }
  int64_t free = int64_t{1} << 30;
  std::ifstream memory("/proc/meminfo");
  for (std::string name, rest; memory >> name && std::getline(memory, rest);) {
    if (name == "MemAvailable:") free = std::stoll(rest) * 1024;
  }
  std::ifstream most("/sys/fs/cgroup/memory.max"), current("/sys/fs/cgroup/memory.current");
  int64_t limit = 0, used = 0;
  if (most >> limit && current >> used) free = std::min(free, std::max<int64_t>(0, limit - used));
  return free;
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
