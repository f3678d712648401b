#include "policy/packing.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <limits>

namespace magic {

namespace {

bool same_prompt(const Batch& batch, int64_t a, int64_t b) {
  const int64_t length = batch.prompt_lengths[a];
  const int32_t* tokens = batch.token_ids.data();
  return length == batch.prompt_lengths[b] &&
         std::equal(tokens + batch.offsets[a], tokens + batch.offsets[a] + length, tokens + batch.offsets[b]);
}

at::Tensor block_mask(const AttentionBlock& block, const std::vector<int64_t>& segment_of,
                      const std::vector<Segment>& segments, at::Device device) {
  const int64_t rows = block.end - block.begin;
  at::Tensor mask = at::empty({rows, rows}, at::kFloat);
  float* out = mask.mutable_data_ptr<float>();
  constexpr float kHidden = -std::numeric_limits<float>::infinity();
  for (int64_t row = block.begin; row < block.end; row++, out += rows) {
    const Segment& segment = segments[segment_of[row]];
    for (int64_t key = block.begin; key < block.end; key++) {
      const bool own = key >= segment.begin && key <= row;
      const bool in_prefix = key >= segment.prefix_begin && key < segment.prefix_end;
      out[key - block.begin] = own || in_prefix ? 0.0f : kHidden;
    }
  }
  return mask.to(device);
}

}  // namespace

void Packing::append(const int32_t* tokens, int64_t count, int64_t first_position, int64_t prefix_begin,
                     int64_t prefix_end) {
  const int64_t begin = token_count();
  for (int64_t i = 0; i < count; i++) {
    token_ids.push_back(tokens[i]);
    positions.push_back(first_position + i);
  }
  segments.push_back({begin, begin + count, prefix_begin, prefix_end});
}

void Packing::keep(const std::vector<float>& mask) {
  if (mask.empty()) return;
  size_t kept = 0;
  for (size_t i = 0; i < rows.size(); i++) {
    if (mask[response_indices[i]] == 0) continue;
    rows[kept] = rows[i];
    response_indices[kept] = response_indices[i];
    targets[kept] = targets[i];
    sequences[kept++] = sequences[i];
  }
  rows.resize(kept);
  response_indices.resize(kept);
  targets.resize(kept);
  sequences.resize(kept);
}

void Packing::build_blocks(at::Device device) {
  if (device.is_cpu()) return;
  std::vector<int64_t> segment_of(token_ids.size());
  for (size_t s = 0; s < segments.size(); s++) {
    std::fill(segment_of.begin() + segments[s].begin, segment_of.begin() + segments[s].end, static_cast<int64_t>(s));
  }
  blocks.clear();
  int64_t row = 0;
  while (row < token_count()) {
    const Segment& first = segments[segment_of[row]];
    AttentionBlock block{row, row, first.prefix_begin, first.prefix_end, first.begin, {}};
    block.end = std::min(first.end, row + kAttentionBlockRows);
    // A prompt's segment and the responses that hang on it may share a block that starts with a whole segment.
    const int64_t family = first.prefix_begin < first.prefix_end ? first.prefix_begin : first.begin;
    while (row == first.begin && block.end < token_count()) {
      const Segment& next = segments[segment_of[block.end]];
      const bool hangs_on_it = next.prefix_begin == family && next.prefix_begin != next.prefix_end;
      if (!hangs_on_it || next.end - row > kAttentionBlockRows) break;
      block.end = next.end;
    }
    block.mask = block_mask(block, segment_of, segments, device);
    row = block.end;
    blocks.push_back(std::move(block));
  }
}

std::vector<Packing> pack(const Batch& batch, const Fits& fits, bool share_prompts) {
  std::vector<Packing> packings;
  Packing current;
  int64_t prompt_sequence = -1;  // the sequence whose prompt's segment is the open one in `current`
  int64_t prompt_begin = 0, prompt_end = 0;
  int64_t response_index = 0;

  auto flush = [&] {
    if (current.token_ids.empty()) return;
    packings.push_back(std::move(current));
    current = Packing();
    prompt_sequence = -1;
  };

  for (int64_t s = 0; s < batch.sequence_count(); s++) {
    const int32_t* tokens = batch.token_ids.data() + batch.offsets[s];
    const int64_t prompt = batch.prompt_lengths[s];
    const int64_t response = batch.offsets[s + 1] - batch.offsets[s] - prompt;
    if (response == 0) continue;
    bool shared = prompt_sequence >= 0 && share_prompts && same_prompt(batch, prompt_sequence, s);
    const int64_t rows = (shared ? 0 : prompt) + response - 1;
    if (current.token_count() > 0 &&
        !fits(current.token_count() + rows, static_cast<int64_t>(current.rows.size()) + response)) {
      flush();
      shared = false;
    }
    const bool next_shares = share_prompts && s + 1 < batch.sequence_count() && same_prompt(batch, s, s + 1);
    int64_t last_prompt_row, first_response_row;
    if (shared || next_shares) {
      if (!shared) {
        prompt_begin = current.token_count();
        prompt_end = prompt_begin + prompt;
        current.append(tokens, prompt, 0, 0, 0);
        prompt_sequence = s;
      }
      last_prompt_row = prompt_end - 1;
      first_response_row = current.token_count();
      if (response > 1) current.append(tokens + prompt, response - 1, prompt, prompt_begin, prompt_end);
    } else {
      prompt_sequence = -1;
      const int64_t begin = current.token_count();
      current.append(tokens, prompt + response - 1, 0, 0, 0);
      last_prompt_row = begin + prompt - 1;
      first_response_row = begin + prompt;
    }
    for (int64_t t = 0; t < response; t++) {
      current.rows.push_back(t == 0 ? last_prompt_row : first_response_row + t - 1);
      current.targets.push_back(tokens[prompt + t]);
      current.response_indices.push_back(response_index + t);
      current.sequences.push_back(static_cast<int32_t>(s));
    }
    response_index += response;
  }
  flush();
  return packings;
}

}  // namespace magic
