// The kernel library's table.

#include <cuda_runtime.h>

#include "cuda/functions.h"

namespace magic {

namespace {

#ifdef __CUDACC__
constexpr bool kOnCpu = false;
#else
constexpr bool kOnCpu = true;
#endif

const char* unusable() {
  int devices = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&devices); error != cudaSuccess) {
    cudaGetLastError();  // so that no later call reports it
    return cudaGetErrorString(error);
  }
  for (int device = 0; device < devices; device++) {
    int major = 0;
    if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) != cudaSuccess || major < 8) {
      return "they need devices of compute capability 8.0 or later";
    }
  }
  return nullptr;
}

const char* describe(int error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); }

}  // namespace

}  // namespace magic

extern "C" __attribute__((visibility("default"))) const magic::DeviceKernels* magic_grpo_kernels() {
  using namespace magic;
  static const DeviceKernels table{
      .digest = MAGIC_KERNELS_DIGEST,
      .on_cpu = kOnCpu,
      .unusable = unusable,
      .describe = describe,
      .rms_norm = rms_norm_on_device,
      .rms_norm_backward = rms_norm_backward_on_device,
      .rotate = rotate_on_device,
      .swiglu = swiglu_on_device,
      .swiglu_backward = swiglu_backward_on_device,
      .rows_forward = rows_forward_on_device,
      .rows_backward = rows_backward_on_device,
      .surrogate = surrogate_on_device,
      .sequence_means = sequence_means_on_device,
      .sample_rows = sample_rows_on_device,
      .store_keys = store_keys_on_device,
      .decode_attention = decode_attention_on_device,
      .begin_capture = begin_capture_on_device,
      .end_capture = end_capture_on_device,
      .replay = replay_on_device,
      .drop_graph = drop_graph_on_device,
  };
  return &table;
}
