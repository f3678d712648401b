#pragma once
// Marks what is compiled for the CPU and, in the kernel library, for CUDA devices too: one definition for both.

#ifdef __CUDACC__
#define MAGIC_HOST_DEVICE __host__ __device__
#else
#define MAGIC_HOST_DEVICE
#endif
