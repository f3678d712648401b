// Rows of logits on the device, the twin of row.cc: a block of threads takes a row.

#include "cuda/element.cuh"
#include "cuda/functions.h"
#include "cuda/launch.cuh"
#include "cuda/moments.cuh"

namespace magic {

namespace {

constexpr unsigned kThreads = 512;

template <int kWidth>
__global__ void __launch_bounds__(kThreads) rows_forward_kernel(const RowsForward args) {
  const int64_t row = blockIdx.x;
  const float* logits = args.logits + row * args.vocab;
  const Moments moments = block_moments(row_moments<kWidth>(logits, args.vocab, args.scale, threadIdx.x, kThreads));
  if (threadIdx.x != 0) return;
  const double log_sum = log(static_cast<double>(moments.sum));
  const double entropy = log_sum - static_cast<double>(moments.weighted) / moments.sum;
  args.statistics[row] = {moments.largest, static_cast<float>(log_sum), static_cast<float>(1.0 / moments.sum),
                          static_cast<float>(entropy)};
  const double z = logits[args.targets[row]] * args.scale;
  args.logprobs[row] = static_cast<float>(z - moments.largest - log_sum);
  args.entropy[row] = static_cast<float>(entropy);
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads) rows_backward_kernel(const RowsBackward args) {
  const int64_t row = blockIdx.x, target = args.targets[row];
  const DeviceRow statistics = args.statistics[row];
  const float g_logprob = args.g_logprob[row] * args.scale;
  // -g_l p - g_e p (log p + H) = p (a + b log p)
  const float b = -args.g_entropy[row] * args.scale, a = -g_logprob + b * statistics.entropy;
  float* logits = static_cast<float*>(args.logits) + row * args.vocab;
  const auto* from = reinterpret_cast<const Pack<float, kWidth>*>(logits);
  auto* to = reinterpret_cast<Pack<T, kWidth>*>(logits);
  const int64_t packs = args.vocab / kWidth;
  for (int64_t tile = 0; tile < packs; tile += kThreads) {
    const int64_t i = tile + threadIdx.x;
    Pack<T, kWidth> out;
    if (i < packs) {
      const Pack<float, kWidth> values = from[i];
      for (int k = 0; k < kWidth; k++) {
        const float shifted = values.values[k] * args.scale - statistics.largest;
        const float p = expf(shifted) * statistics.inverse_sum;
        const float d = p * (a + b * (shifted - statistics.log_sum));
        out.values[k] = to_element<T>(i * kWidth + k == target ? d + g_logprob : d);
      }
    }
    // Narrower values land on logits of this tile and of earlier ones: all of them have been read.
    if (sizeof(T) < sizeof(float)) __syncthreads();
    if (i < packs) to[i] = out;
  }
}

}  // namespace

int rows_forward_on_device(Launch where, const RowsForward& args) {
  const bool packed = aligned(4, args.logits, sizeof(float), args.vocab);
  return launch(where, packed ? rows_forward_kernel<4> : rows_forward_kernel<1>, dim3(static_cast<unsigned>(args.rows)),
                kThreads, args);
}

int rows_backward_on_device(Launch where, Element element, const RowsBackward& args) {
  const bool packed = aligned(4, args.logits, sizeof(float), args.vocab);
  return with_element(element, [&](auto type) {
    using T = decltype(type);
    return launch(where, packed ? rows_backward_kernel<T, 4> : rows_backward_kernel<T, 1>,
                  dim3(static_cast<unsigned>(args.rows)), kThreads, args);
  });
}

}  // namespace magic
