#include "loss/device_head.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <vector>

#include "cuda/device_kernels.h"
#include "loss/logits.h"
#include "loss/surrogate.h"
#include "product/product.h"

namespace magic {

namespace {

at::Tensor upload_values(const void* values, int64_t count, at::ScalarType type, at::Device device) {
  return upload(at::from_blob(const_cast<void*>(values), {count}, type), device);
}

// Float values of the tokens, one upload for all that are given; absent ones stay null.
class TokenValues {
 public:
  TokenValues(std::vector<const float*> given, int64_t count, at::Device device) {
    std::vector<float> packed;
    for (const float* values : given) {
      if (values) packed.insert(packed.end(), values, values + count);
    }
    device_ = upload_values(packed.data(), static_cast<int64_t>(packed.size()), at::kFloat, device);
    const float* next = device_.const_data_ptr<float>();
    for (const float* values : given) {
      pointers_.push_back(values ? next : nullptr);
      if (values) next += count;
    }
  }

  const float* at(size_t which) const { return pointers_[which]; }

 private:
  at::Tensor device_;
  std::vector<const float*> pointers_;
};

// Chunks of logits and what they leave for each token, all on the device.
class DeviceHead {
 public:
  DeviceHead(const at::Tensor& hidden, const at::Tensor& weight, int64_t chunk, const int32_t* targets,
             double temperature)
      : hidden_(hidden),
        weight_(weight),
        count_(hidden.size(0)),
        step_(chunk),
        scale_(static_cast<float>(1.0 / temperature)),
        queue_(weight),
        targets_(upload_values(targets, count_, at::kInt, weight.device())),
        statistics_(at::empty({step_, 4}, weight.options().dtype(at::kFloat))),
        coefficients_(at::empty({2, step_}, statistics_.options())),
        results_(at::empty({2, count_}, statistics_.options())),
        sums_(at::zeros({Surrogate::kSums}, statistics_.options().dtype(at::kDouble))) {}

  // Calls chunk(start, rows) for each chunk of tokens, after its logits.
  template <class Chunk>
  void for_chunks(const Chunk& chunk) {
    for (int64_t start = 0; start < count_; start += step_) {
      const int64_t rows = std::min(step_, count_ - start);
      logits_.reset();  // one chunk at a time
      logits_ = float_product(hidden_.narrow(0, start, rows), weight_.t());
      const RowsForward args{.logits = logits_.const_data_ptr<float>(),
                             .targets = targets_.const_data_ptr<int32_t>() + start,
                             .statistics = reinterpret_cast<DeviceRow*>(statistics_.mutable_data_ptr<float>()),
                             .logprobs = logprobs() + start,
                             .entropy = entropy() + start,
                             .rows = rows,
                             .vocab = logits_.size(1),
                             .scale = scale_};
      queue_.run(&DeviceKernels::rows_forward, args);
      chunk(start, rows);
    }
  }

  // Of the last chunk: coefficients and sums, then d logits, a row as far from the next as a row of logits.
  at::Tensor backward(int64_t start, const Surrogate& of_chunk) {
    queue_.run(&DeviceKernels::surrogate, of_chunk);
    const at::ScalarType type = hidden_.scalar_type();
    const RowsBackward args{.logits = logits_.mutable_data_ptr(),
                            .targets = targets_.const_data_ptr<int32_t>() + start,
                            .statistics = reinterpret_cast<const DeviceRow*>(statistics_.const_data_ptr<float>()),
                            .g_logprob = of_chunk.g_logprob,
                            .g_entropy = of_chunk.g_entropy,
                            .rows = logits_.size(0),
                            .vocab = logits_.size(1),
                            .scale = scale_};
    queue_.run(&DeviceKernels::rows_backward, type, args);
    if (type == at::kFloat) return logits_;
    const at::Tensor d_logits = logits_.view(type).narrow(1, 0, logits_.size(1));
    // Where the CPU stands in for the device, oneDNN multiplies what lies behind a row's end by zeros, and it may be no
    // number.
    return d_logits.is_cpu() ? d_logits.contiguous() : d_logits;
  }

  const DeviceQueue& queue() const { return queue_; }
  float* logprobs() { return results_.mutable_data_ptr<float>(); }
  float* entropy() { return logprobs() + count_; }
  float* coefficients() { return coefficients_.mutable_data_ptr<float>(); }
  int64_t step() const { return step_; }
  double* sums() { return sums_.mutable_data_ptr<double>(); }
  const at::Tensor& results() const { return results_; }
  const at::Tensor& sums_tensor() const { return sums_; }

 private:
  at::Tensor hidden_, weight_;
  int64_t count_, step_;
  float scale_;
  DeviceQueue queue_;
  at::Tensor targets_, statistics_, coefficients_;
  at::Tensor results_;  // [2, N] log-probs and entropies
  at::Tensor sums_, logits_;
};

void fetch(const at::Tensor& results, float* logprobs, float* entropy) {
  const at::Tensor host = results.to(at::kCPU);
  const int64_t count = host.size(1);
  std::copy_n(host.const_data_ptr<float>(), count, logprobs);
  std::copy_n(host.const_data_ptr<float>() + count, count, entropy);
}

// Where the sequences of tokens begin, and where the last one ends.
std::vector<int64_t> offsets_of(const HeadTokens& tokens) {
  std::vector<int64_t> offsets{0};
  for (int64_t i = 1; i < tokens.count; i++) {
    if (tokens.sequences[i] != tokens.sequences[i - 1]) offsets.push_back(i);
  }
  offsets.push_back(tokens.count);
  return offsets;
}

}  // namespace

void head_score_on_device(const at::Tensor& hidden, const at::Tensor& weight, int64_t chunk, const int32_t* targets,
                          double temperature, float* logprobs, float* entropy) {
  DeviceHead head(hidden, weight, chunk, targets, temperature);
  head.for_chunks([](int64_t, int64_t) {});
  fetch(head.results(), logprobs, entropy);
}

HeadFinish head_backward_on_device(const at::Tensor& hidden, const at::Tensor& weight, int64_t chunk,
                                   const HeadTokens& tokens, const LossOptions& options, at::Tensor& hidden_gradient,
                                   at::Tensor& weight_gradient, float* logprobs, float* entropy) {
  DeviceHead head(hidden, weight, chunk, tokens.targets, options.temperature);
  const TokenValues values(
      {tokens.weights, tokens.advantages, tokens.old_logprobs, tokens.reference_logprobs, tokens.sampler_logprobs},
      tokens.count, weight.device());
  at::Tensor means;  // [2, N] log-ratios and corrections of each token's sequence
  const double cap = options.importance_sampling_cap;
  if (needs_sequence_means(tokens, options)) {
    head.for_chunks([](int64_t, int64_t) {});
    const std::vector<int64_t> offsets = offsets_of(tokens);
    const auto sequences = static_cast<int64_t>(offsets.size()) - 1;
    const at::Tensor ends = upload_values(offsets.data(), sequences + 1, at::kLong, weight.device());
    means = at::empty({2, tokens.count}, weight.options().dtype(at::kDouble));
    double* to = means.mutable_data_ptr<double>();
    const float* old_logprobs = tokens.old_logprobs ? values.at(2) : head.logprobs();
    const SequenceMeansOf args{head.logprobs(), old_logprobs, values.at(4), ends.const_data_ptr<int64_t>(),
                               sequences,       cap,          to,           to + tokens.count};
    head.queue().run(&DeviceKernels::sequence_means, args);
  }
  const double* ratios = means.defined() ? means.const_data_ptr<double>() : nullptr;
  const double* corrections = ratios && cap > 0 ? ratios + tokens.count : nullptr;
  head.for_chunks([&](int64_t start, int64_t rows) {
    const auto from = [start](const auto* all) { return all ? all + start : nullptr; };
    const Surrogate of_chunk{.tokens = {.count = rows,
                                        .logprobs = head.logprobs() + start,
                                        .entropy = head.entropy() + start,
                                        .weights = from(values.at(0)),
                                        .advantages = from(values.at(1)),
                                        .old_logprobs = from(values.at(2)),
                                        .reference_logprobs = from(values.at(3)),
                                        .sampler_logprobs = from(values.at(4)),
                                        .mean_log_ratios = from(ratios),
                                        .mean_corrections = from(corrections)},
                             .options = options,
                             .g_logprob = head.coefficients(),
                             .g_entropy = head.coefficients() + head.step(),
                             .sums = head.sums()};
    const at::Tensor d_logits = head.backward(start, of_chunk);
    at::Tensor d_part = hidden_gradient.narrow(0, start, rows);
    add_head_gradients(d_logits, hidden.narrow(0, start, rows), weight, d_part, weight_gradient);
  });
  return [results = head.results(), sums = head.sums_tensor(), logprobs, entropy] {
    fetch(results, logprobs, entropy);
    const at::Tensor host = sums.to(at::kCPU);
    const double* s = host.const_data_ptr<double>();
    return HeadSums{s[0], s[1], s[2], s[3], s[4], s[5], static_cast<int64_t>(s[6]), static_cast<int64_t>(s[7])};
  };
}

}  // namespace magic
