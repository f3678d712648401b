// SwiGLU, the twin of mlp.cc: float32 between the loads and the stores.

#include "cuda/element.cuh"
#include "cuda/functions.h"
#include "cuda/launch.cuh"

namespace magic {

namespace {

constexpr unsigned kThreads = 256;

// 1 / (1 + e^-x)
__device__ __forceinline__ float logistic(float x) { return 1.0f / (1.0f + expf(-x)); }

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads) swiglu_kernel(const Swiglu args) {
  using Values = Pack<T, kWidth>;
  const int64_t packs = args.width / kWidth, i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= args.rows * packs) return;
  const int64_t row = i / packs, column = i % packs;
  const Values* gate_up = static_cast<const Values*>(args.gate_up) + row * 2 * packs + column;
  const Values gate = gate_up[0], up = gate_up[packs];
  Values y;
  for (int k = 0; k < kWidth; k++) {
    const float g = to_float(gate.values[k]);
    y.values[k] = to_element<T>(g * logistic(g) * to_float(up.values[k]));
  }
  static_cast<Values*>(args.y)[i] = y;
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads) swiglu_backward_kernel(const SwigluBackward args) {
  using Values = Pack<T, kWidth>;
  const int64_t packs = args.width / kWidth, i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= args.rows * packs) return;
  const int64_t at = i / packs * 2 * packs + i % packs;
  const Values* gate_up = static_cast<const Values*>(args.gate_up) + at;
  const Values gate = gate_up[0], up = gate_up[packs], d_y = static_cast<const Values*>(args.d_y)[i];
  Values d_gate, d_up;
  for (int k = 0; k < kWidth; k++) {
    const float g = to_float(gate.values[k]), d = to_float(d_y.values[k]), s = logistic(g);
    d_up.values[k] = to_element<T>(d * g * s);
    d_gate.values[k] = to_element<T>(d * to_float(up.values[k]) * s * (1.0f + g * (1.0f - s)));
  }
  Values* d_gate_up = static_cast<Values*>(args.d_gate_up) + at;
  d_gate_up[0] = d_gate;
  d_gate_up[packs] = d_up;
}

}  // namespace

int swiglu_on_device(Launch where, Element element, const Swiglu& args) {
  return with_element(element, [&](auto type) {
    using T = decltype(type);
    const int64_t count = args.rows * args.width;
    const bool packed = aligned(kPack<T>, args.gate_up, sizeof(T), args.width) && aligned(kPack<T>, args.y, sizeof(T));
    if (packed) {
      return launch(where, swiglu_kernel<T, kPack<T>>, dim3(blocks_for<int64_t>(count / kPack<T>, kThreads)), kThreads,
                    args);
    }
    return launch(where, swiglu_kernel<T, 1>, dim3(blocks_for<int64_t>(count, kThreads)), kThreads, args);
  });
}

int swiglu_backward_on_device(Launch where, Element element, const SwigluBackward& args) {
  return with_element(element, [&](auto type) {
    using T = decltype(type);
    const int64_t count = args.rows * args.width;
    const bool packed = aligned(kPack<T>, args.gate_up, sizeof(T), args.width) &&
                        aligned(kPack<T>, args.d_y, sizeof(T)) && aligned(kPack<T>, args.d_gate_up, sizeof(T));
    if (packed) {
      return launch(where, swiglu_backward_kernel<T, kPack<T>>, dim3(blocks_for<int64_t>(count / kPack<T>, kThreads)),
                    kThreads, args);
    }
    return launch(where, swiglu_backward_kernel<T, 1>, dim3(blocks_for<int64_t>(count, kThreads)), kThreads, args);
  });
}

}  // namespace magic
