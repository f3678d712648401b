#pragma once
// How a kernel is queued. No <<<>>>: the tests compile the same files for the CPU with a C++ compiler.

#include <cuda_runtime.h>

#include "cuda/kernels.h"

namespace magic {

// Blocks along x may be 2^31 - 1, along y and z 65535.
template <class Arguments>
int launch(const Launch& where, void (*kernel)(Arguments), dim3 blocks, unsigned threads, const Arguments& arguments) {
  if (blocks.x == 0 || blocks.y == 0 || blocks.z == 0) return cudaSuccess;
  if (const cudaError_t error = cudaSetDevice(where.device); error != cudaSuccess) return error;
  cudaLaunchConfig_t config{};
  config.gridDim = blocks;
  config.blockDim = dim3(threads);
  config.stream = static_cast<cudaStream_t>(where.stream);
  return cudaLaunchKernelEx(&config, kernel, arguments);
}

template <class Number>
inline unsigned blocks_for(Number count, Number per_block) {
  return static_cast<unsigned>((count + per_block - 1) / per_block);
}

}  // namespace magic
