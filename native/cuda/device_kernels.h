#pragma once
// The kernels of CUDA devices as the rest of the addon calls them. The library that has them, magic_grpo_cuda.so beside
// the addon, is opened when a CUDA device is first used.

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>

#include "cuda/device_stream.h"
#include "cuda/kernels.h"

namespace magic {

// The kernels for tensors on a device; null on the CPU, but where MAGIC_GRPO_KERNELS names an emulation, for tests.
// Throws UNSUPPORTED where there is no library for a CUDA device, or this machine can't run it.
const DeviceKernels* device_kernels(at::Device device);

inline Element element_of(at::ScalarType type) { return type == at::kFloat ? Element::kFloat : Element::kBFloat16; }

// Throws what a kernel's call came back with.
void check_launch(const DeviceKernels& kernels, int error);

// Queues kernels where a tensor lies, on this thread's stream of its device, as libtorch does.
class DeviceQueue {
 public:
  explicit DeviceQueue(const at::Tensor& t) : DeviceQueue(t.device()) {}
  explicit DeviceQueue(at::Device device)
      : guard_(device),
        kernels_(*device_kernels(device)),
        where_{device.is_cpu() ? 0 : static_cast<int32_t>(device.index()), current_stream(device)} {}

  template <class Arguments>
  void run(int (*DeviceKernels::*kernel)(Launch, const Arguments&), const Arguments& arguments) const {
    check_launch(kernels_, (kernels_.*kernel)(where_, arguments));
  }

  template <class Arguments>
  void run(int (*DeviceKernels::*kernel)(Launch, Element, const Arguments&), at::ScalarType type,
           const Arguments& arguments) const {
    check_launch(kernels_, (kernels_.*kernel)(where_, element_of(type), arguments));
  }

  const DeviceKernels& kernels() const { return kernels_; }
  const Launch& where() const { return where_; }

 private:
  c10::DeviceGuard guard_;
  const DeviceKernels& kernels_;
  Launch where_;
};

// A copy of host memory on the device. From pinned memory, so that neither waits for the other.
at::Tensor upload(const at::Tensor& host, at::Device device);

}  // namespace magic
