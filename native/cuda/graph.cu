// CUDA graphs: what a stream was given once, run again by one call (CUDA C++ Programming Guide, "CUDA Graphs").

#include <cuda_runtime.h>

#include "cuda/functions.h"

namespace magic {

int begin_capture_on_device(Launch where) {
  if (const cudaError_t error = cudaSetDevice(where.device); error != cudaSuccess) return error;
  // Other threads of the process may allocate and wait meanwhile.
  const cudaError_t error =
      cudaStreamBeginCapture(static_cast<cudaStream_t>(where.stream), cudaStreamCaptureModeThreadLocal);
  if (error != cudaSuccess) cudaGetLastError();  // so that no later call reports it
  return error;
}

int end_capture_on_device(Launch where, void** graph) {
  cudaGraph_t recorded = nullptr;
  cudaGraphExec_t runnable = nullptr;
  cudaError_t error = cudaStreamEndCapture(static_cast<cudaStream_t>(where.stream), &recorded);
  if (error == cudaSuccess) error = cudaGraphInstantiateWithFlags(&runnable, recorded, 0);
  if (recorded) cudaGraphDestroy(recorded);
  if (error != cudaSuccess) cudaGetLastError();  // so that no later call reports it
  *graph = runnable;
  return error;
}

int replay_on_device(Launch where, void* graph) {
  if (const cudaError_t error = cudaSetDevice(where.device); error != cudaSuccess) return error;
  return cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), static_cast<cudaStream_t>(where.stream));
}

int drop_graph_on_device(void* graph) { return cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)); }

}  // namespace magic
