#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

#include "cuda/device_kernels.h"
#include "rollout/sampler.h"
#include "runtime/error.h"

namespace magic {

std::vector<SampledToken> sample_rows(const at::Tensor& logits, const SampleKeys& keys,
                                      const GenerateOptions& options) {
  const int64_t rows = logits.size(0);
  const at::Tensor host = at::empty({2, rows}, at::kLong);
  int64_t* to = host.mutable_data_ptr<int64_t>();
  std::copy(keys.counters.begin(), keys.counters.end(), std::copy(keys.seeds.begin(), keys.seeds.end(), to));
  const at::Tensor draws = upload(host, logits.device());
  const at::Tensor results = at::empty({3, rows}, logits.options());
  sample_into(results, logits, draws.select(0, 0), draws.select(0, 1), options);
  return sampled_tokens(results.to(at::kCPU), rows);
}

void sample_into(const at::Tensor& results, const at::Tensor& logits, const at::Tensor& seeds,
                 const at::Tensor& counters, const GenerateOptions& options) {
  const int64_t rows = logits.size(0);
  auto* out = static_cast<float*>(results.data_ptr());
  const bool greedy = options.temperature == 0;
  const SampleRows args{.logits = logits.const_data_ptr<float>(),
                        .seeds = reinterpret_cast<const uint64_t*>(seeds.const_data_ptr<int64_t>()),
                        .counters = counters.const_data_ptr<int64_t>(),
                        .tokens = reinterpret_cast<int32_t*>(out),
                        .logprobs = out + rows,
                        .entropy = out + 2 * rows,
                        .rows = rows,
                        .vocab = logits.size(1),
                        .top_k = options.top_k,
                        .top_p = options.top_p,
                        .scale = greedy ? 1.0f : static_cast<float>(1.0 / options.temperature),
                        .greedy = greedy};
  DeviceQueue(logits).run(&DeviceKernels::sample_rows, args);
}

std::vector<SampledToken> sampled_tokens(const at::Tensor& results, int64_t count) {
  const int64_t rows = results.size(1);
  const float* values = results.const_data_ptr<float>();
  const auto* tokens = reinterpret_cast<const int32_t*>(values);
  std::vector<SampledToken> sampled;
  for (int64_t i = 0; i < count; i++) {
    const float entropy = values[2 * rows + i];
    if (!std::isfinite(entropy)) throw_not_finite();
    sampled.push_back({tokens[i], values[rows + i], entropy});
  }
  return sampled;
}

}  // namespace magic
