#include "cuda/device_kernels.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "runtime/error.h"

namespace magic {

namespace {

const DeviceKernels* open(const std::string& path) {
  const auto fail = [&](const std::string& reason) {
    throw Error("UNSUPPORTED", "device cuda needs " + path + ", " + reason);
  };
  if (!std::filesystem::exists(path)) {
    fail("which is not there: the addon was built without nvcc; build it again with nvcc on PATH, or use device cpu");
  }
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) fail(std::string("which does not load: ") + dlerror());
  const auto table = reinterpret_cast<const DeviceKernels* (*)()>(dlsym(library, "magic_grpo_kernels"));
  if (!table || std::strcmp(table()->digest, MAGIC_KERNELS_DIGEST) != 0) {
    fail("which was built from other sources than the addon: build both again, or install the package again");
  }
  if (const char* reason = table()->unusable()) fail(std::string("which can't run here: ") + reason);
  return table();
}

// In the folder of the addon.
const DeviceKernels* open_beside_addon() {
  Dl_info own{};
  dladdr(reinterpret_cast<const void*>(&open_beside_addon), &own);
  return open(std::filesystem::path(own.dli_fname).replace_filename("magic_grpo_cuda.so").string());
}

const DeviceKernels* open_emulation() {
  const char* path = std::getenv("MAGIC_GRPO_KERNELS");
  if (!path || !*path) return nullptr;
  const DeviceKernels* kernels = open(path);
  if (!kernels->on_cpu) throw Error("UNSUPPORTED", "MAGIC_GRPO_KERNELS has to name kernels that run on the CPU");
  return kernels;
}

}  // namespace

const DeviceKernels* device_kernels(at::Device device) {
  if (device.is_cpu()) {
    static const DeviceKernels* const emulation = open_emulation();
    return emulation;
  }
  static const DeviceKernels* const library = open_beside_addon();
  return library;
}

void check_launch(const DeviceKernels& kernels, int error) {
  if (error != 0) throw Error("INTERNAL", std::string("a CUDA kernel failed: ") + kernels.describe(error));
}

at::Tensor upload(const at::Tensor& host, at::Device device) {
  if (device.is_cpu()) return host.clone();
  return host.pin_memory().to(device, host.scalar_type(), /*non_blocking=*/true);
}

}  // namespace magic
