// The surrogate's coefficients and sums without leaving the device, the twin of surrogate.cc.

#include "cuda/functions.h"
#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"
#include "loss/token_loss.h"

namespace magic {

namespace {

constexpr unsigned kThreads = 256;

template <class Number>
__device__ __forceinline__ double value_or_zero(const Number* values, int64_t i) {
  return values ? static_cast<double>(values[i]) : 0.0;
}

// One block, so that the sums have one order: there are thousands of tokens, not millions.
__global__ void __launch_bounds__(kThreads) surrogate_kernel(const Surrogate args) {
  const SurrogateTokens& tokens = args.tokens;
  double sums[Surrogate::kSums] = {};
  for (int64_t i = threadIdx.x; i < tokens.count; i += kThreads) {
    TokenInput input{};
    input.weight = tokens.weights[i];
    input.advantage = tokens.advantages[i];
    input.logprob = tokens.logprobs[i];
    input.entropy = tokens.entropy[i];
    input.has_old = tokens.old_logprobs != nullptr;
    input.has_reference = tokens.reference_logprobs != nullptr;
    input.old_logprob = value_or_zero(tokens.old_logprobs, i);
    input.reference_logprob = value_or_zero(tokens.reference_logprobs, i);
    input.sampler_logprob = value_or_zero(tokens.sampler_logprobs, i);
    input.has_mean_ratio = tokens.mean_log_ratios != nullptr;
    input.has_mean_correction = tokens.mean_corrections != nullptr;
    input.mean_log_ratio = value_or_zero(tokens.mean_log_ratios, i);
    input.mean_correction = value_or_zero(tokens.mean_corrections, i);
    const TokenLoss loss = token_loss(input, args.options);
    args.g_logprob[i] = static_cast<float>(loss.d_logprob);
    args.g_entropy[i] = static_cast<float>(loss.d_entropy);
    const double terms[] = {
        input.weight * loss.loss, -input.weight * loss.objective, input.entropy,          input.logprob, loss.kl,
        loss.approx_kl,           1.0 * loss.clipped_low,         1.0 * loss.clipped_high};
    for (int k = 0; k < Surrogate::kSums; k++) sums[k] += terms[k];
  }
  for (int k = 0; k < Surrogate::kSums; k++) {
    const double sum = block_sum(sums[k]);
    if (threadIdx.x == 0) args.sums[k] += sum;
  }
}

// A warp takes a sequence.
__global__ void __launch_bounds__(kThreads) sequence_means_kernel(const SequenceMeansOf args) {
  const int64_t sequence = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) / kWarp;
  if (sequence >= args.sequences) return;
  const int64_t begin = args.offsets[sequence] + threadIdx.x % kWarp, end = args.offsets[sequence + 1];
  const double count = static_cast<double>(end - args.offsets[sequence]);
  double ratios = 0, corrections = 0;
  for (int64_t i = begin; i < end; i += kWarp) {
    const double old_logprob = args.old_logprobs[i];
    ratios += args.logprobs[i] - old_logprob;
    if (args.cap > 0) corrections += smaller(exp(old_logprob - args.sampler_logprobs[i]), args.cap);
  }
  ratios = warp_sum(ratios) / count;
  corrections = warp_sum(corrections) / count;
  for (int64_t i = begin; i < end; i += kWarp) {
    args.mean_log_ratios[i] = ratios;
    if (args.cap > 0) args.mean_corrections[i] = corrections;
  }
}

}  // namespace

int surrogate_on_device(Launch where, const Surrogate& args) {
  return launch(where, surrogate_kernel, dim3(args.tokens.count > 0 ? 1 : 0), kThreads, args);
}

int sequence_means_on_device(Launch where, const SequenceMeansOf& args) {
  return launch(where, sequence_means_kernel, dim3(blocks_for<int64_t>(args.sequences, kThreads / kWarp)), kThreads,
                args);
}

}  // namespace magic
