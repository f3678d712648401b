#include "loss/head.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

#include "cuda/device_kernels.h"
#include "loss/device_head.h"
#include "loss/logits.h"
#include "loss/row.h"
#include "loss/surrogate.h"
#include "product/product.h"
#include "runtime/trace.h"

namespace magic {

namespace {

// Float32 logits of some hidden rows, with what each row's log-prob and entropy need, on the CPU.
class LogitsChunk {
 public:
  LogitsChunk(const at::Tensor& weight, double temperature)
      : weight_(weight), scale_(static_cast<float>(1.0 / temperature)) {}

  // Fills the chunk; log-probs and entropies of the targets, host memory.
  void forward(const at::Tensor& hidden, const int32_t* targets, float* logprobs, float* entropy) {
    logits_.reset();  // one chunk at a time
    logits_ = float_product(hidden, weight_.t());
    forward_rows(targets, logprobs, entropy);
  }

  // After forward: d loss / d logits in the type of the products that follow, float32 in place of the logits.
  at::Tensor backward(const int32_t* targets, const std::vector<TokenGradient>& gradients, at::ScalarType type) {
    at::Tensor d_logits = type == at::kFloat ? logits_ : at::empty(logits_.sizes(), logits_.options().dtype(type));
    if (type == at::kFloat) {
      backward_rows(targets, gradients, d_logits.mutable_data_ptr<float>());
    } else {
      backward_rows(targets, gradients, d_logits.mutable_data_ptr<c10::BFloat16>());
      logits_.reset();
    }
    return d_logits;
  }

 private:
  void forward_rows(const int32_t* targets, float* logprobs, float* entropy) {
    const int64_t vocab = logits_.size(1);
    const float* data = logits_.const_data_ptr<float>();
    statistics_.resize(logits_.size(0));
    at::parallel_for(0, logits_.size(0), 1, [&](int64_t begin, int64_t end) {
      std::vector<LogitBlock> blocks;
      for (int64_t i = begin; i < end; i++) {
        const float* row = data + i * vocab;
        statistics_[i] = row_statistics(row, vocab, scale_, blocks);
        logprobs[i] = static_cast<float>(statistics_[i].logprob(row[targets[i]], scale_));
        entropy[i] = static_cast<float>(statistics_[i].entropy);
      }
    });
  }

  template <typename T>
  void backward_rows(const int32_t* targets, const std::vector<TokenGradient>& gradients, T* out) {
    const int64_t vocab = logits_.size(1);
    const float* data = logits_.const_data_ptr<float>();
    at::parallel_for(0, logits_.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        row_gradient(data + i * vocab, vocab, scale_, statistics_[i], targets[i], gradients[i].logprob,
                     gradients[i].entropy, out + i * vocab);
      }
    });
  }

  at::Tensor weight_;
  float scale_;
  at::Tensor logits_;
  std::vector<RowStatistics> statistics_;
};

}  // namespace

void head_score(const at::Tensor& given_hidden, const at::Tensor& given_weight, int64_t most_rows,
                const int32_t* targets, double temperature, float* logprobs, float* entropy) {
  const Span span("head score");
  const at::Tensor hidden = gemm_operand(given_hidden), weight = gemm_operand(given_weight);
  const int64_t count = hidden.size(0), step = chunk_rows(count, most_rows);
  if (count == 0) return;
  if (device_kernels(weight.device())) {
    return head_score_on_device(hidden, weight, step, targets, temperature, logprobs, entropy);
  }
  LogitsChunk chunk(weight, temperature);
  for (int64_t start = 0; start < count; start += step) {
    const int64_t rows = std::min(step, count - start);
    chunk.forward(hidden.narrow(0, start, rows), targets + start, logprobs + start, entropy + start);
  }
}

HeadFinish head_backward(const at::Tensor& given_hidden, const at::Tensor& given_weight, int64_t most_rows,
                         const HeadTokens& tokens, const LossOptions& options, at::Tensor& hidden_gradient,
                         at::Tensor& weight_gradient, float* logprobs, float* entropy) {
  const Span span("head");
  const at::Tensor hidden = gemm_operand(given_hidden), weight = gemm_operand(given_weight);
  HeadSums sums;
  const int64_t step = chunk_rows(tokens.count, most_rows);
  if (tokens.count == 0) return [sums] { return sums; };
  if (device_kernels(weight.device())) {
    return head_backward_on_device(hidden, weight, step, tokens, options, hidden_gradient, weight_gradient, logprobs,
                                   entropy);
  }
  SequenceMeans means;
  if (needs_sequence_means(tokens, options)) {
    head_score(hidden, weight, step, tokens.targets, options.temperature, logprobs, entropy);
    if (tokens.old_logprobs) means.log_ratios = sequence_log_ratios(tokens, logprobs);
    if (options.importance_sampling_cap > 0) {
      means.corrections = sequence_corrections(tokens, tokens.old_logprobs ? tokens.old_logprobs : logprobs,
                                               options.importance_sampling_cap);
    }
  }
  LogitsChunk chunk(weight, options.temperature);
  std::vector<TokenGradient> gradients(step);
  for (int64_t start = 0; start < tokens.count; start += step) {
    const int64_t rows = std::min(step, tokens.count - start);
    const at::Tensor part = hidden.narrow(0, start, rows);
    chunk.forward(part, tokens.targets + start, logprobs + start, entropy + start);
    for (int64_t i = 0; i < rows; i++) {
      gradients[i] = surrogate(tokens, start + i, logprobs[start + i], entropy[start + i], means, options, sums);
    }
    const at::Tensor d_logits = chunk.backward(tokens.targets + start, gradients, hidden.scalar_type());
    at::Tensor d_part = hidden_gradient.narrow(0, start, rows);
    add_head_gradients(d_logits, part, weight, d_part, weight_gradient);
  }
  return [sums] { return sums; };
}

}  // namespace magic
