#include "loss/head.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <vector>

#include "loss/row.h"
#include "loss/surrogate.h"
#include "policy/linear.h"
#include "runtime/trace.h"

namespace magic {

namespace {

// A chunk of logits stays within this many bytes. Larger chunks read and write the weight gradient less often.
constexpr int64_t kChunkBytesCpu = 72 << 20, kChunkBytesCuda = 1024 << 20;

// Equal chunks: one of a few rows would read the weight and its gradient for next to nothing.
int64_t chunk_rows(const at::Tensor& weight, int64_t count) {
  const int64_t bytes = weight.is_cuda() ? kChunkBytesCuda : kChunkBytesCpu;
  const int64_t most = std::max<int64_t>(16, bytes / (weight.size(0) * static_cast<int64_t>(sizeof(float))));
  const int64_t chunks = std::max<int64_t>(1, (count + most - 1) / most);
  return (count + chunks - 1) / chunks;
}

// Float32 logits of some hidden rows, with what each row's log-prob and entropy need. On the CPU one pass over a row;
// elsewhere the same by tensor operations.
class LogitsChunk {
 public:
  LogitsChunk(int64_t rows, const at::Tensor& weight, double temperature)
      : weight_(weight),
        scale_(static_cast<float>(1.0 / temperature)),
        buffer_(at::empty({rows, weight.size(0)}, weight.options().dtype(at::kFloat))) {}

  // Fills the chunk; log-probs and entropies of the targets, host memory.
  void forward(const at::Tensor& hidden, const int32_t* targets, float* logprobs, float* entropy) {
    logits_ = buffer_.narrow(0, 0, hidden.size(0));
    if (hidden.scalar_type() == at::kFloat) {
      at::mm_out(logits_, hidden, weight_.t());
    } else {
      logits_.copy_(float_product(hidden, weight_.t()));
    }
    if (logits_.is_cpu()) {
      forward_rows(targets, logprobs, entropy);
    } else {
      forward_tensors(targets, logprobs, entropy);
    }
  }

  // After forward: d loss / d logits in place of the logits, in the type of the GEMMs that follow.
  at::Tensor backward(const int32_t* targets, const std::vector<TokenGradient>& gradients, at::ScalarType type) {
    if (logits_.is_cpu()) {
      backward_rows(targets, gradients);
    } else {
      backward_tensors(targets, gradients);
    }
    return logits_.to(type);
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

  void backward_rows(const int32_t* targets, const std::vector<TokenGradient>& gradients) {
    const int64_t vocab = logits_.size(1);
    float* data = logits_.mutable_data_ptr<float>();
    at::parallel_for(0, logits_.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        row_gradient(data + i * vocab, vocab, scale_, statistics_[i], targets[i], gradients[i].logprob,
                     gradients[i].entropy);
      }
    });
  }

  void forward_tensors(const int32_t* targets, float* logprobs, float* entropy) {
    const int64_t rows = logits_.size(0);
    index_ = at::from_blob(const_cast<int32_t*>(targets), {rows, 1}, at::kInt).to(logits_.device(), at::kLong);
    log_p_ = at::log_softmax(logits_.mul_(scale_), 1);
    entropy_ = -(log_p_.exp() * log_p_).sum(1, true);
    const at::Tensor host = at::stack({log_p_.gather(1, index_), entropy_}).view({2, rows}).to(at::kCPU);
    std::copy_n(host.const_data_ptr<float>(), rows, logprobs);
    std::copy_n(host.const_data_ptr<float>() + rows, rows, entropy);
  }

  void backward_tensors(const int32_t*, const std::vector<TokenGradient>& gradients) {
    const int64_t rows = logits_.size(0);
    at::Tensor host = at::empty({2, rows, 1}, at::kFloat);
    float* data = host.mutable_data_ptr<float>();
    for (int64_t i = 0; i < rows; i++) {
      data[i] = gradients[i].logprob * scale_;
      data[rows + i] = gradients[i].entropy * scale_;
    }
    const at::Tensor device = host.to(logits_.device());
    const at::Tensor g_logprob = device.select(0, 0), g_entropy = device.select(0, 1);
    at::exp_out(logits_, log_p_);
    logits_.mul_(log_p_.add_(entropy_).mul_(g_entropy).add_(g_logprob).neg_());
    logits_.scatter_add_(1, index_, g_logprob);
    log_p_.reset();
  }

  at::Tensor weight_;
  float scale_;
  at::Tensor buffer_, logits_;
  std::vector<RowStatistics> statistics_;
  at::Tensor index_, log_p_, entropy_;
};

}  // namespace

void head_score(const at::Tensor& given_hidden, const at::Tensor& given_weight, const int32_t* targets,
                double temperature, float* logprobs, float* entropy) {
  const Span span("head score");
  const at::Tensor hidden = gemm_operand(given_hidden), weight = gemm_operand(given_weight);
  const int64_t count = hidden.size(0), step = chunk_rows(weight, count);
  if (count == 0) return;
  LogitsChunk chunk(step, weight, temperature);
  for (int64_t start = 0; start < count; start += step) {
    const int64_t rows = std::min(step, count - start);
    chunk.forward(hidden.narrow(0, start, rows), targets + start, logprobs + start, entropy + start);
  }
}

HeadSums head_backward(const at::Tensor& given_hidden, const at::Tensor& given_weight, const HeadTokens& tokens,
                       const LossOptions& options, at::Tensor& hidden_gradient, at::Tensor& weight_gradient,
                       float* logprobs, float* entropy) {
  const Span span("head");
  const at::Tensor hidden = gemm_operand(given_hidden), weight = gemm_operand(given_weight);
  HeadSums sums;
  const int64_t step = chunk_rows(weight, tokens.count);
  if (tokens.count == 0) return sums;
  SequenceMeans means;
  if (options.sequence_ratio && tokens.old_logprobs) {
    head_score(hidden, weight, tokens.targets, options.temperature, logprobs, entropy);
    means.log_ratios = sequence_log_ratios(tokens, logprobs);
    if (options.importance_sampling_cap > 0)
      means.corrections = sequence_corrections(tokens, options.importance_sampling_cap);
  }
  LogitsChunk chunk(step, weight, options.temperature);
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
    if (d_part.scalar_type() == d_logits.scalar_type()) {
      at::mm_out(d_part, d_logits, weight);
    } else {
      d_part.copy_(at::mm(d_logits, weight));
    }
    if (weight_gradient.defined()) accumulate_product(weight_gradient, d_logits, part);
  }
  return sums;
}

}  // namespace magic
