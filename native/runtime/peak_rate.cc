#include "runtime/peak_rate.h"

#include <ATen/core/Tensor.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "product/product.h"

namespace magic {

namespace {

constexpr double kSeconds = 0.2;
constexpr int kMostProducts = 16;

double measure(c10::Device device, c10::ScalarType dtype) {
  using Clock = std::chrono::steady_clock;
  const int64_t size = device.is_cpu() ? 1024 : 8192;
  const auto options = at::TensorOptions().device(device).dtype(dtype);
  // As the layers multiply: where bfloat16 is slow, in float32.
  const at::Tensor a = gemm_operand(at::full({size, size}, 0.5, options));
  at::Tensor product = at::mm(a, a);
  double best = std::numeric_limits<double>::infinity(), all = 0;
  for (int i = 0; i < kMostProducts && all < kSeconds; i++) {
    if (device.is_cuda()) at::detail::getCUDAHooks().deviceSynchronize(device.index());
    const auto start = Clock::now();
    at::mm_out(product, a, a);
    if (device.is_cuda()) at::detail::getCUDAHooks().deviceSynchronize(device.index());
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::min(best, seconds);
    all += seconds;
  }
  return 2.0 * static_cast<double>(size) * static_cast<double>(size) * static_cast<double>(size) / best;
}

}  // namespace

double peak_flops(c10::Device device, c10::ScalarType dtype) {
  static std::map<std::pair<std::string, c10::ScalarType>, double> known;
  const std::pair<std::string, c10::ScalarType> key{device.str(), dtype};
  auto found = known.find(key);
  if (found == known.end()) found = known.emplace(key, measure(device, dtype)).first;
  return found->second;
}

}  // namespace magic
