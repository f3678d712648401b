#include "runtime/zero_pages.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <sys/mman.h>

namespace magic {

at::Tensor zero_pages(int64_t count, at::Device device) {
  const auto bytes = static_cast<size_t>(count);
  if (device.is_cpu() && bytes > 0) {
    void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages != MAP_FAILED) {
#ifdef MADV_HUGEPAGE
      madvise(pages, bytes, MADV_HUGEPAGE);
#endif
      return at::from_blob(
          pages, {count}, [bytes](void* from) { munmap(from, bytes); }, at::TensorOptions().dtype(at::kByte));
    }
  }
  // Also where the system refuses: the allocator's error says what was asked for.
  return at::zeros({count}, at::TensorOptions().dtype(at::kByte).device(device));
}

}  // namespace magic
