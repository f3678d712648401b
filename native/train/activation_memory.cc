#include "train/activation_memory.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "cpu/kernels.h"
#include "loss/logits.h"
#include "policy/packing.h"
#include "product/block_gemm.h"
#include "product/product.h"

namespace magic {

namespace {

constexpr int64_t kFloatBytes = 4;
// Host memory a row and a response token: packing, rotary angles not counted, and what is gathered for the loss.
constexpr int64_t kRowBytes = 32, kResponseBytes = 96;
// Float32 tensors of an attention block's scores that exist at once.
constexpr int64_t kBlockTensors = 4;

int64_t padded(int64_t dim) { return (dim + 31) / 32 * 32; }

}  // namespace

ActivationMemory::ActivationMemory(const Shape& shape, at::Device device, at::ScalarType dtype, bool trains_head)
    : shape_(shape),
      cpu_(device.is_cpu()),
      low_(dtype != at::kFloat),
      widens_(multiplies_in_float32(device, dtype)),
      trains_head_(trains_head),
      ample_logit_rows_(ample_chunk_rows(shape.vocab_size, device, dtype)) {
  const auto size = static_cast<int64_t>(c10::elementSize(dtype));
  hidden_ = shape.hidden_size * size;
  attended_ = shape.head_count * shape.head_dim * size;
  qkv_ = attended_ + 2 * shape.key_value_head_count * shape.head_dim * size;
  inner_ = shape.intermediate_size * size;
  logsum_ = shape.head_count * kFloatBytes;
}

int64_t ActivationMemory::attention_work(bool backward) const {
  // Gradients of queries, keys and values, as sums in float32.
  if (!cpu_) return backward && low_ ? 2 * qkv_ : 0;
  const int64_t dim = shape_.head_dim, kv_heads = shape_.key_value_head_count;
  // Keys and values by head, as rows and across; in the backward a gradient of both for each query head.
  int64_t work = kv_heads * (dim + padded(dim)) * kFloatBytes * (backward ? 2 : 1);
  if (backward) work += 2 * shape_.head_count * padded(dim) * kFloatBytes;
  return work;
}

ActivationMemory::LayerBytes ActivationMemory::layer(Recompute recompute) const {
  const bool keeps = recompute != Recompute::kLayer, keeps_mlp = recompute == Recompute::kNothing;
  const int64_t rotated = shape_.qk_norm ? qkv_ : 0;
  const int64_t attention = qkv_ + attended_ + logsum_;
  const int64_t kept = hidden_ + (keeps ? attention + hidden_ : 0) + (keeps_mlp ? 2 * inner_ : 0);

  // The first half: norm and q, k, v; attention; output projection.
  const auto first_half = [&](bool saves) {
    return hidden_ + std::max({hidden_ + qkv_, attention + (saves ? rotated : 0) + attention_work(false),
                               (saves ? attention : attended_) + hidden_});
  };
  const int64_t middle = 2 * hidden_ + (keeps ? attention : 0);
  const int64_t forward =
      std::max({first_half(keeps),
                middle + std::max({hidden_ + 2 * inner_, 3 * inner_, (keeps_mlp ? 3 : 1) * inner_ + hidden_})});

  // d y, the layer's input, what attention saved and the middle are there; then the product and its gradient beside
  // d gate_up.
  const int64_t before_mlp = hidden_ + hidden_ + attention + hidden_;
  const int64_t mlp = before_mlp + 2 * inner_ + std::max(2 * inner_, 2 * hidden_);
  const int64_t attended = 2 * hidden_ + attention + rotated + attended_ + attention_work(true) + qkv_;
  const int64_t again = keeps ? 0 : hidden_ + first_half(true);
  return {kept, forward, std::max({again, mlp, attended, 4 * hidden_ + qkv_})};
}

// Of the largest product of a layer. Where products are in float32 copies: of its weight, and of some rows of its
// operand and result.
int64_t ActivationMemory::copies(int64_t rows) const {
  const int64_t hidden = shape_.hidden_size, gate_up = 2 * shape_.intermediate_size;
  if (widens_) return (hidden * gate_up + std::min(rows, kCopiedRows) * (hidden + gate_up)) * kFloatBytes;
  if (!cpu_ || !low_ || !has_block_gemm()) return 0;
  // Of the rows of a gradient's product that are packed at once, with each thread's block of the other operand.
  return std::min(rows, kPackedRows) * (gate_up + at::get_num_threads() * kProductRows * 2);
}

// Of all attention blocks, at most: a float32 for each row of a block and row of the packing.
int64_t ActivationMemory::masks(int64_t rows) const {
  return cpu_ ? 0 : std::min(kAttentionBlockRows, rows) * rows * kFloatBytes;
}

// Scores of a block with every row of the packing for a key: for a head as many as all masks have.
int64_t ActivationMemory::attention_blocks(int64_t rows) const {
  return shape_.head_count * kBlockTensors * masks(rows);
}

int64_t ActivationMemory::head(int64_t responses, int64_t logit_rows, bool backward) const {
  const int64_t chunk = chunk_rows(responses, logit_rows) * shape_.vocab_size;
  const int64_t weight = shape_.vocab_size * shape_.hidden_size;
  int64_t bytes = chunk * kFloatBytes;
  if (widens_) {
    bytes += (weight + responses * shape_.hidden_size) * kFloatBytes;
  } else if (low_) {
    // On the CPU the gradient beside the chunk, or the chunk as the library gives it; a GPU has the gradient in place.
    if (cpu_) bytes += chunk * 2;
    const bool in_place = cpu_ && has_block_gemm();
    if (backward && trains_head_ && !in_place) bytes += std::min(kProductBlockBytes, weight * kFloatBytes);
  }
  return bytes;
}

int64_t ActivationMemory::training(int64_t rows, int64_t responses, MicroBatchPlan plan) const {
  const int64_t always = rows * (kRowBytes + shape_.head_dim * kFloatBytes) + responses * kResponseBytes + masks(rows);
  int64_t kept = 0, most = 0;
  for (int64_t i = 0; i < shape_.layer_count; i++) {
    const LayerBytes bytes = layer(plan.recompute.of(i));
    most = std::max(most, kept + std::max(bytes.forward, bytes.backward));
    kept += bytes.kept;
  }
  most = rows * most + attention_blocks(rows) + copies(rows);
  // The last layer's output and the head's rows, with their gradient; then that of all rows, in float32 first.
  const int64_t before_head = rows * (kept + hidden_);
  const int64_t of_responses = 2 * responses * hidden_;
  const int64_t spread = rows * (hidden_ + (low_ ? 2 * hidden_ : 0)) + responses * (low_ ? 3 : 1) * hidden_;
  most = std::max({most, before_head + rows * hidden_ + responses * hidden_,
                   before_head + of_responses + head(responses, plan.logit_rows, true), before_head + spread,
                   before_head + 2 * rows * hidden_});
  // Freed blocks that what comes next does not fit into: as measured, one of the largest that a layer has.
  return always + most + rows * 2 * inner_;
}

int64_t ActivationMemory::scoring(int64_t rows, int64_t responses, int64_t logit_rows) const {
  return rows * (kRowBytes + shape_.head_dim * kFloatBytes + layer(Recompute::kLayer).forward) + masks(rows) +
         attention_blocks(rows) + copies(rows) + responses * (hidden_ + kResponseBytes) +
         head(responses, logit_rows, false);
}

MicroBatchPlan ActivationMemory::least() const { return {{shape_.layer_count, 0}, kLeastChunkRows}; }

MicroBatchPlan ActivationMemory::plan(int64_t rows, int64_t responses, int64_t budget,
                                      bool recompute_everything) const {
  MicroBatchPlan plan{{}, ample_logit_rows()};
  if (recompute_everything) plan = everything();
  RecomputePlan& recompute = plan.recompute;
  while (training(rows, responses, plan) > budget) {
    if (recompute.layers == 0 && recompute.mlps < shape_.layer_count) {
      recompute.mlps++;
    } else if (recompute.layers < shape_.layer_count) {
      recompute.layers++;
      recompute.mlps--;
    } else if (plan.logit_rows > kLeastChunkRows) {
      plan.logit_rows = std::max(kLeastChunkRows, plan.logit_rows / 2);
    } else {
      break;
    }
  }
  return plan;
}

int64_t ActivationMemory::scoring_logit_rows(int64_t rows, int64_t responses, int64_t budget) const {
  int64_t logit_rows = ample_logit_rows();
  while (logit_rows > kLeastChunkRows && scoring(rows, responses, logit_rows) > budget) {
    logit_rows = std::max(kLeastChunkRows, logit_rows / 2);
  }
  return logit_rows;
}

}  // namespace magic
