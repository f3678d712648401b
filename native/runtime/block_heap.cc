#include "runtime/block_heap.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

namespace magic {

namespace {

// Smaller blocks are malloc's. Blocks are whole pages; the heap grows by kGrowth.
constexpr int64_t kSmallest = 128 << 10, kPage = 4096, kGrowth = 64 << 20, kHugePage = 2 << 20;

int64_t rounded_up(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }

class BlockHeap final : public c10::Allocator {
 public:
  // False: no range of addresses was to be had.
  bool reserve() {
    const int64_t memory = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
    // Addresses are free of charge, but a limit on them may be set.
    for (reserved_ = rounded_up(2 * memory, kGrowth); reserved_ >= kGrowth;
         reserved_ = reserved_ / 4 / kGrowth * kGrowth) {
      void* range = mmap(nullptr, reserved_ + kHugePage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (range == MAP_FAILED) continue;
      const auto address = reinterpret_cast<int64_t>(range);
      base_ = static_cast<char*>(range) + (rounded_up(address, kHugePage) - address);
#ifdef MADV_HUGEPAGE
      madvise(base_, reserved_, MADV_HUGEPAGE);
#endif
      return true;
    }
    return false;
  }

  c10::DataPtr allocate(size_t bytes) override {
    void* block =
        static_cast<int64_t>(bytes) >= kSmallest ? take(rounded_up(static_cast<int64_t>(bytes), kPage)) : nullptr;
    // What does not fit is malloc's as well, or its error.
    if (block == nullptr) block = c10::GetDefaultCPUAllocator()->raw_allocate(bytes);
    return {block, block, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, size_t count) const override { default_copy_data(to, from, count); }

  int64_t free_bytes() {
    const std::lock_guard lock(mutex_);
    int64_t bytes = 0;
    for (const auto& [start, size] : free_) bytes += size;
    return bytes;
  }

  int64_t used_bytes() {
    const int64_t free = free_bytes();
    const std::lock_guard lock(mutex_);
    return top_ - free;
  }

  void trim() {
    const std::lock_guard lock(mutex_);
    for (const auto& [start, size] : free_) madvise(base_ + start, size, MADV_DONTNEED);
  }

 private:
  static void release(void* block);

  // The smallest free range that is large enough, the first of its size; null where there is none.
  void* take(int64_t size) {
    const std::lock_guard lock(mutex_);
    auto found = by_size_.lower_bound({size, 0});
    if (found == by_size_.end()) {
      if (!grow(size)) return nullptr;
      found = by_size_.lower_bound({size, 0});
    }
    const auto [range, start] = *found;
    erase(start, range);
    if (range > size) insert(start + size, range - size);
    used_.emplace(start, size);
    return base_ + start;
  }

  // Until its last range holds `size`.
  bool grow(int64_t size) {
    const auto last = free_.empty() ? free_.end() : std::prev(free_.end());
    const int64_t tail = last != free_.end() && last->first + last->second == top_ ? last->second : 0;
    const int64_t more = std::min(rounded_up(size - tail, kGrowth), reserved_ - top_);
    if (tail + more < size || mprotect(base_ + top_, more, PROT_READ | PROT_WRITE) != 0) return false;
    if (tail > 0) erase(top_ - tail, tail);
    insert(top_ - tail, tail + more);
    top_ += more;
    return true;
  }

  bool give_back(void* block) {
    const std::lock_guard lock(mutex_);
    const int64_t offset = static_cast<char*>(block) - base_;
    const auto found = used_.find(offset);
    if (found == used_.end()) return false;
    int64_t start = offset, size = found->second;
    used_.erase(found);
    auto next = free_.lower_bound(start);
    if (next != free_.end() && next->first == start + size) {
      size += next->second;
      erase(next->first, next->second);
    }
    next = free_.lower_bound(start);
    if (next != free_.begin()) {
      const auto [before, length] = *std::prev(next);
      if (before + length == start) {
        erase(before, length);
        start = before;
        size += length;
      }
    }
    insert(start, size);
    return true;
  }

  void insert(int64_t start, int64_t size) {
    free_.emplace(start, size);
    by_size_.emplace(size, start);
  }

  void erase(int64_t start, int64_t size) {
    free_.erase(start);
    by_size_.erase({size, start});
  }

  std::mutex mutex_;
  char* base_ = nullptr;
  int64_t reserved_ = 0, top_ = 0;   // bytes [0, top_) may be used
  std::map<int64_t, int64_t> free_;  // start to size; no two touch
  std::set<std::pair<int64_t, int64_t>> by_size_;
  std::unordered_map<int64_t, int64_t> used_;
};

// Never destroyed: tensors may outlive everything.
BlockHeap& heap() {
  static BlockHeap* const only = new BlockHeap;
  return *only;
}

void BlockHeap::release(void* block) {
  if (block != nullptr && !heap().give_back(block)) c10::GetDefaultCPUAllocator()->raw_deallocate(block);
}

}  // namespace

void install_block_heap() {
  static const bool installed = [] {
    const bool reserved = heap().reserve();
    if (reserved) c10::SetCPUAllocator(&heap(), 1);
    return reserved;
  }();
  static_cast<void>(installed);
}

int64_t block_heap_used_bytes() { return heap().used_bytes(); }

int64_t block_heap_free_bytes() { return heap().free_bytes(); }

void trim_block_heap() { heap().trim(); }

}  // namespace magic
