// RMS normalisation, the twin of norm.cc: a block of threads takes a row.

#include <algorithm>

#include "cuda/element.cuh"
#include "cuda/functions.h"
#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"

namespace magic {

namespace {

constexpr unsigned kLargestBlock = 256;

unsigned threads_for(int64_t dim, int64_t pack) {
  const int64_t warps = (dim + pack * kWarp - 1) / (pack * kWarp);
  return static_cast<unsigned>(std::min<int64_t>(warps * kWarp, kLargestBlock));
}

__device__ __forceinline__ int64_t row_start(int64_t row, int64_t inner, int64_t dim, int64_t stride) {
  return row / inner * stride + row % inner * dim;
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kLargestBlock) rms_norm_kernel(const RmsNorm args) {
  const int64_t row = blockIdx.x;
  using Values = Pack<T, kWidth>;
  const Values* x = reinterpret_cast<const Values*>(static_cast<const T*>(args.x) +
                                                    row_start(row, args.inner, args.dim, args.x_stride));
  Values* y = reinterpret_cast<Values*>(static_cast<T*>(args.y) + row_start(row, args.inner, args.dim, args.y_stride));
  const Values* weight = reinterpret_cast<const Values*>(args.weight);
  const int64_t packs = args.dim / kWidth;
  float squares = 0;
  for (int64_t i = threadIdx.x; i < packs; i += blockDim.x) {
    const Values values = x[i];
    for (int k = 0; k < kWidth; k++) squares += to_float(values.values[k]) * to_float(values.values[k]);
  }
  const float scale = 1.0f / sqrtf(block_sum(squares) / static_cast<float>(args.dim) + args.epsilon);
  for (int64_t i = threadIdx.x; i < packs; i += blockDim.x) {
    const Values values = x[i], weights = weight[i];
    Values out;
    for (int k = 0; k < kWidth; k++) {
      // Rounded before the weight as well, as the reference implementations do.
      const float normal = to_float(to_element<T>(to_float(values.values[k]) * scale));
      out.values[k] = to_element<T>(normal * to_float(weights.values[k]));
    }
    y[i] = out;
  }
}

// A block takes every gridDim.x-th row, so that its part of d_weight has a fixed order of summation.
template <class T>
__global__ void __launch_bounds__(kLargestBlock) rms_norm_backward_kernel(const RmsNormBackward args) {
  __shared__ float partial[RmsNormBackward::kLargestDim];
  const T* weight = static_cast<const T*>(args.weight);
  const float dim = static_cast<float>(args.dim);
  for (int64_t i = threadIdx.x; i < args.dim; i += blockDim.x) partial[i] = 0;
  for (int64_t row = blockIdx.x; row < args.outer * args.inner; row += gridDim.x) {
    const T* x = static_cast<const T*>(args.x) + row_start(row, args.inner, args.dim, args.x_stride);
    const T* d_y = static_cast<const T*>(args.d_y) + row_start(row, args.inner, args.dim, args.d_y_stride);
    T* d_x = static_cast<T*>(args.d_x) + row_start(row, args.inner, args.dim, args.d_x_stride);
    const T* residual = args.residual ? static_cast<const T*>(args.residual) +
                                            row_start(row, args.inner, args.dim, args.residual_stride)
                                      : nullptr;
    float squares = 0, along = 0;
    for (int64_t i = threadIdx.x; i < args.dim; i += blockDim.x) {
      const float value = to_float(x[i]);
      squares += value * value;
      along += to_float(d_y[i]) * to_float(weight[i]) * value;
    }
    const float scale = 1.0f / sqrtf(block_sum(squares) / dim + args.epsilon);
    along = block_sum(along) * scale / dim;
    for (int64_t i = threadIdx.x; i < args.dim; i += blockDim.x) {
      const float normal = to_float(x[i]) * scale, d = to_float(d_y[i]);
      partial[i] += d * normal;
      const float out = (d * to_float(weight[i]) - normal * along) * scale;
      d_x[i] = to_element<T>(residual ? out + to_float(residual[i]) : out);
    }
  }
  if (!args.d_weight) return;
  for (int64_t i = threadIdx.x; i < args.dim; i += blockDim.x) args.partial[blockIdx.x * args.dim + i] = partial[i];
}

struct AddPartials {
  const float* partial;
  float* sum;
  int64_t partials, dim;
};

__global__ void add_partials_kernel(const AddPartials args) {
  const int64_t column = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (column >= args.dim) return;
  float sum = 0;
  for (int64_t i = 0; i < args.partials; i++) sum += args.partial[i * args.dim + column];
  args.sum[column] += sum;
}

}  // namespace

int rms_norm_on_device(Launch where, Element element, const RmsNorm& args) {
  return with_element(element, [&](auto type) {
    using T = decltype(type);
    const dim3 rows(static_cast<unsigned>(args.outer * args.inner));
    const bool packed = aligned(kPack<T>, args.x, sizeof(T), args.dim, args.x_stride, args.y_stride) &&
                        aligned(kPack<T>, args.y, sizeof(T)) && aligned(kPack<T>, args.weight, sizeof(T));
    if (packed) return launch(where, rms_norm_kernel<T, kPack<T>>, rows, threads_for(args.dim, kPack<T>), args);
    return launch(where, rms_norm_kernel<T, 1>, rows, threads_for(args.dim, 1), args);
  });
}

int rms_norm_backward_on_device(Launch where, Element element, const RmsNormBackward& args) {
  if (args.dim > RmsNormBackward::kLargestDim) return cudaErrorInvalidValue;
  const int64_t blocks = std::min(args.outer * args.inner, RmsNormBackward::kPartials);
  const int error = with_element(element, [&](auto type) {
    return launch(where, rms_norm_backward_kernel<decltype(type)>, dim3(static_cast<unsigned>(blocks)),
                  threads_for(args.dim, 2), args);
  });
  if (error != cudaSuccess || !args.d_weight) return error;
  const AddPartials add{args.partial, args.d_weight, blocks, args.dim};
  return launch(where, add_partials_kernel, dim3(blocks_for<int64_t>(args.dim, 128)), 128, add);
}

}  // namespace magic
