#include "rollout/model_runner.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "cuda/device_kernels.h"
#include "policy/attention.h"
#include "policy/decoder.h"
#include "policy/rope.h"
#include "product/product.h"
#include "rollout/decode_attention.h"
#include "runtime/trace.h"

namespace magic {

ModelRunner::ModelRunner(Policy& policy, const Cancel& cancel)
    : shape_(policy.shape()),
      weights_(policy.weights()),
      cancel_(cancel),
      cache_(shape_, weights_.device, weights_.dtype) {
  if (device_kernels(weights_.device) && DecodeAttention::has(shape_.head_dim)) {
    decoder_.emplace(shape_, weights_, cache_);
  }
}

void ModelRunner::prepare_cache(const Step& step, const BlockManager& blocks) {
  if (decoder_ && !cache_.holds(blocks.block_count())) decoder_->drop_graphs();
  cache_.reserve(blocks.block_count(), blocks.most_blocks());
  cache_.copy(step.copies);
}

bool ModelRunner::decodes(const Step& step) const {
  return decoder_ && std::all_of(step.chunks.begin(), step.chunks.end(), [](const Chunk& chunk) {
           return chunk.count == 1 && chunk.sequence->started() && chunk.sequence->uncomputed() == 0;
         });
}

std::vector<SampledToken> ModelRunner::decode(const Step& step, const BlockManager& blocks,
                                              const GenerateOptions& options) {
  prepare_cache(step, blocks);
  std::vector<Sequence*> sequences;
  for (const Chunk& chunk : step.chunks) sequences.push_back(chunk.sequence);
  return decoder_->decode(sequences, options);
}

at::Tensor ModelRunner::run(const Step& step, const BlockManager& blocks, std::vector<Sequence*>& sequences) {
  prepare_cache(step, blocks);
  singles_.clear();
  longer_.clear();
  tables_.clear();
  slots_.clear();
  context_slots_.clear();
  context_ = {};
  for (const Chunk& chunk : step.chunks) (chunk.count == 1 ? singles_ : longer_).push_back(chunk);
  // Those that share a beginning next to each other: decode attention reads it once for all of them.
  std::stable_sort(singles_.begin(), singles_.end(),
                   [](const Chunk& a, const Chunk& b) { return a.sequence->table.blocks < b.sequence->table.blocks; });

  std::vector<int64_t> tokens, positions, last_rows;
  sequences.clear();
  for (const std::vector<Chunk>* chunks : {&singles_, &longer_}) {
    for (const Chunk& chunk : *chunks) {
      const Sequence& sequence = *chunk.sequence;
      for (int64_t at = sequence.table.length - chunk.count; at < sequence.table.length; at++) {
        tokens.push_back(sequence.tokens[at]);
        positions.push_back(at);
        slots_.push_back(sequence.table.slot(at));
      }
      if (sequence.uncomputed() == 0) {
        last_rows.push_back(static_cast<int64_t>(tokens.size()) - 1);
        sequences.push_back(chunk.sequence);
      }
    }
  }
  for (const Chunk& chunk : singles_) tables_.push_back(&chunk.sequence->table);
  const bool has_kernels = device_kernels(weights_.device) != nullptr;
  if (has_kernels) device_step_.emplace(slots_, tables_, weights_.device);
  for (const Chunk& chunk : longer_) {
    const BlockTable& table = chunk.sequence->table;
    const int64_t before = table.length - chunk.count, first = static_cast<int64_t>(context_.token_ids.size());
    for (int64_t at = 0; at < before; at++) context_slots_.push_back(table.slot(at));
    context_.token_ids.resize(first + table.length);
    // The tensor operations that serve other devices cut all rows into blocks: what came before is a segment too.
    if (before > 0 && !weights_.device.is_cpu()) context_.segments.push_back({first, first + before, 0, 0});
    context_.segments.push_back({first + before, first + table.length, first, first + before});
  }
  if (!longer_.empty()) context_.build_blocks(weights_.device);

  const at::Tensor hidden = decoder_forward(
      shape_, weights_, token_tensor(tokens, weights_.device), make_rope(shape_, positions, weights_.device),
      [this](int64_t layer, const at::Tensor& qkv, AttentionSaved*) { return attend(layer, qkv); }, nullptr);
  if (last_rows.empty()) return {};
  const Span span("logits");
  const bool all = last_rows.size() == tokens.size();
  const at::Tensor logits = float_product(
      all ? hidden : hidden.index_select(0, token_tensor(last_rows, weights_.device)), weights_.head().value.t());
  return (has_kernels ? logits : logits.to(at::kCPU)).contiguous();
}

at::Tensor ModelRunner::attend(int64_t layer, const at::Tensor& qkv) {
  cancel_.check();
  const int64_t q = shape_.head_count * shape_.head_dim, kv = shape_.key_value_head_count * shape_.head_dim;
  {
    const Span span("kv write");
    const at::Tensor keys = qkv.narrow(1, q, kv), values = qkv.narrow(1, q + kv, kv);
    device_step_ ? device_step_->store(cache_, layer, keys, values) : cache_.write(layer, slots_, keys, values);
  }
  const auto count = static_cast<int64_t>(singles_.size());
  const auto decode = [&] {
    const at::Tensor queries = qkv.narrow(0, 0, count).narrow(1, 0, q);
    return device_step_ && DecodeAttention::has(shape_.head_dim)
               ? device_step_->attend(shape_, cache_, layer, queries)
               : decode_attention(shape_, cache_, layer, queries, tables_);
  };
  if (longer_.empty()) return decode();
  const at::Tensor chunks = attend_chunks(layer, qkv.narrow(0, count, qkv.size(0) - count));
  if (count == 0) return chunks;
  return at::cat({decode(), chunks});
}

// qkv: the rows of the longer chunks. Attends as training does, over rows that are copied out of the cache.
at::Tensor ModelRunner::attend_chunks(int64_t layer, const at::Tensor& qkv) {
  if (context_slots_.empty()) return attention_forward(shape_, context_, qkv, nullptr);
  const int64_t q = shape_.head_count * shape_.head_dim, kv = shape_.key_value_head_count * shape_.head_dim;
  const at::Tensor slots = token_tensor(context_slots_, weights_.device);
  const at::Tensor keys = cache_.keys(layer).index_select(0, slots);
  const at::Tensor values = cache_.values(layer).index_select(0, slots);
  at::Tensor rows = at::zeros({context_.token_count(), qkv.size(1)}, qkv.options());
  int64_t copied = 0, own = 0, at = 0;
  for (const Chunk& chunk : longer_) {
    const int64_t before = chunk.sequence->table.length - chunk.count;
    rows.narrow(0, at, before).narrow(1, q, kv).copy_(keys.narrow(0, copied, before));
    rows.narrow(0, at, before).narrow(1, q + kv, kv).copy_(values.narrow(0, copied, before));
    rows.narrow(0, at + before, chunk.count).copy_(qkv.narrow(0, own, chunk.count));
    copied += before;
    own += chunk.count;
    at += before + chunk.count;
  }
  const at::Tensor attended = attention_forward(shape_, context_, rows, nullptr);
  std::vector<at::Tensor> outputs;
  at = 0;
  for (const Chunk& chunk : longer_) {
    at += chunk.sequence->table.length;
    outputs.push_back(attended.narrow(0, at - chunk.count, chunk.count));
  }
  return at::cat(outputs);
}

}  // namespace magic
