#include "policy/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "policy/tiled_attention.h"
#include "product/product.h"
#include "runtime/trace.h"

namespace magic {

namespace {

// One block's view of the packed tensors. n query rows, m keys, G query heads a key-value head.
struct BlockView {
  BlockView(const Shape& shape, const AttentionBlock& block)
      : heads(shape.key_value_head_count),
        group(shape.head_count / shape.key_value_head_count),
        dim(shape.head_dim),
        rows(block.end - block.begin),
        block(block) {}

  // [T, Hq D] rows to [Hkv, G n, D]
  at::Tensor queries(const at::Tensor& packed) const {
    return packed.narrow(0, block.begin, rows)
        .narrow(1, 0, heads * group * dim)
        .reshape({rows, heads, group, dim})
        .permute({1, 2, 0, 3})
        .reshape({heads, group * rows, dim});
  }

  // [Hkv, G n, D] to [n, Hq D]
  at::Tensor to_rows(const at::Tensor& by_head) const {
    return by_head.view({heads, group, rows, dim}).permute({2, 0, 1, 3}).reshape({rows, heads * group * dim});
  }

  // Keys (which = 0) or values (which = 1) as [Hkv, m, D]
  at::Tensor keys(const at::Tensor& qkv, int64_t which) const {
    const at::Tensor columns = qkv.narrow(1, (heads * group + which * heads) * dim, heads * dim);
    at::Tensor own = columns.narrow(0, block.key_begin, block.end - block.key_begin);
    if (block.prefix_begin < block.prefix_end) {
      own = at::cat({columns.narrow(0, block.prefix_begin, block.prefix_end - block.prefix_begin), own});
    }
    return own.reshape({own.size(0), heads, dim}).transpose(0, 1);
  }

  // Adds [Hkv, m, D] to the rows of the keys (or values) of d_qkv.
  void add_keys(at::Tensor& d_qkv, int64_t which, const at::Tensor& gradient) const {
    at::Tensor columns = d_qkv.narrow(1, (heads * group + which * heads) * dim, heads * dim);
    const at::Tensor flat = gradient.transpose(0, 1).reshape({gradient.size(1), heads * dim});
    const int64_t prefix = block.prefix_end - block.prefix_begin;
    if (prefix > 0) columns.narrow(0, block.prefix_begin, prefix).add_(flat.narrow(0, 0, prefix));
    columns.narrow(0, block.key_begin, block.end - block.key_begin).add_(flat.narrow(0, prefix, flat.size(0) - prefix));
  }

  // Scaled and masked scores, float32 [Hkv, G n, m].
  at::Tensor scores(const at::Tensor& q, const at::Tensor& k) const {
    at::Tensor scores = product(q, k.transpose(1, 2)).to(at::kFloat);
    scores.mul_(1.0 / std::sqrt(static_cast<double>(dim)));
    scores.view({heads, group, rows, scores.size(2)}).narrow(3, scores.size(2) - rows, rows).add_(block.mask);
    return scores;
  }

  int64_t heads, group, dim, rows;
  const AttentionBlock& block;
};

}  // namespace

at::Tensor attention_forward(const Shape& shape, const Packing& packing, const at::Tensor& qkv, AttentionSaved* saved) {
  const Span span("attention");
  const int64_t width = shape.head_count * shape.head_dim;
  at::Tensor output = at::empty({qkv.size(0), width}, qkv.options());
  if (saved) {
    saved->logsum.clear();
    saved->output = output;
  }
  if (qkv.is_cpu()) {
    const at::Tensor logsum = at::empty({shape.head_count, qkv.size(0)}, at::kFloat);
    attend_tiles(shape, packing.segments, qkv.contiguous(), output, logsum);
    if (saved) saved->logsum.push_back(logsum);
    return output;
  }
  for (const AttentionBlock& block : packing.blocks) {
    const BlockView view(shape, block);
    at::Tensor probabilities = view.scores(view.queries(qkv), view.keys(qkv, 0));
    const at::Tensor largest = probabilities.amax(-1, true);
    probabilities.sub_(largest).exp_();
    const at::Tensor sum = probabilities.sum(-1, true);
    probabilities.div_(sum);
    output.narrow(0, block.begin, view.rows)
        .copy_(view.to_rows(product(probabilities.to(qkv.scalar_type()), view.keys(qkv, 1))));
    if (saved) saved->logsum.push_back(sum.log().add_(largest));
  }
  return output;
}

at::Tensor attention_backward(const Shape& shape, const Packing& packing, const at::Tensor& qkv,
                              const AttentionSaved& saved, const at::Tensor& d_output) {
  const Span span("attention backward");
  if (qkv.is_cpu()) {
    const at::Tensor d_qkv = at::empty(qkv.sizes(), qkv.options());
    attend_tiles_backward(shape, packing.segments, qkv.contiguous(), saved.output, saved.logsum[0],
                          d_output.contiguous(), d_qkv);
    return d_qkv;
  }
  // Each block adds to its prompt's keys and values: in float32, as on the CPU.
  at::Tensor d_qkv = at::zeros(qkv.sizes(), qkv.options().dtype(at::kFloat));
  const double scale = 1.0 / std::sqrt(static_cast<double>(shape.head_dim));
  for (size_t i = 0; i < packing.blocks.size(); i++) {
    const AttentionBlock& block = packing.blocks[i];
    const BlockView view(shape, block);
    const at::Tensor q = view.queries(qkv), k = view.keys(qkv, 0), v = view.keys(qkv, 1);
    const at::Tensor d_out = view.queries(d_output);
    // d score = p * (d p - sum(d out * out)), the softmax's backward.
    const at::Tensor dot = (d_out.to(at::kFloat) * view.queries(saved.output)).sum(-1, true);
    const at::Tensor probabilities = view.scores(q, k).sub_(saved.logsum[i]).exp_();
    view.add_keys(d_qkv, 1, product(probabilities.to(qkv.scalar_type()).transpose(1, 2), d_out));
    at::Tensor d_scores = product(d_out, v.transpose(1, 2)).to(at::kFloat);
    d_scores.sub_(dot).mul_(probabilities).mul_(scale);
    const at::Tensor d_low = d_scores.to(qkv.scalar_type());
    d_qkv.narrow(0, block.begin, view.rows)
        .narrow(1, 0, shape.head_count * shape.head_dim)
        .copy_(view.to_rows(product(d_low, k)));
    view.add_keys(d_qkv, 0, product(d_low.transpose(1, 2), q));
  }
  return d_qkv.to(qkv.scalar_type());
}

}  // namespace magic
