#include "rollout/generate.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <string>

#include "policy/decoder.h"
#include "policy/linear.h"
#include "policy/policy.h"
#include "rollout/decode_attention.h"
#include "rollout/kv_cache.h"
#include "rollout/sampler.h"
#include "runtime/trace.h"

namespace magic {

namespace {

// Prompts are prefilled together up to this many tokens.
constexpr int64_t kPrefillTokens = 4096;
// One decoding step in so many is traced with what is inside of it.
constexpr int64_t kTracedDecode = 16;

struct Sequence {
  size_t prompt, sample;
  uint64_t seed;
  BlockTable table;
  int32_t last_token = 0;
};

// A prompt in the cache, some of whose samples have yet to start.
struct WaitingPrompt {
  size_t prompt;
  BlockTable table;
  std::vector<float> logits;  // [V] after its last token
  size_t next_sample = 0;
};

class Generation {
 public:
  Generation(Policy& policy, const std::vector<GeneratePrompt>& prompts, const GenerateOptions& options,
             const Cancel& cancel, const GenerateReports& reports)
      : policy_(policy),
        shape_(policy.shape()),
        weights_(policy.weights()),
        prompts_(prompts),
        options_(options),
        cancel_(cancel),
        reports_(reports),
        cache_(shape_, weights_.device, weights_.dtype),
        results_(prompts.size()),
        unfinished_(prompts.size()) {
    for (size_t p = 0; p < prompts.size(); p++) {
      unfinished_[p] = prompts[p].seeds.size();
      results_[p].resize(unfinished_[p]);
    }
  }

  std::vector<std::vector<Completion>> run() {
    while (next_prompt_ < prompts_.size() || !waiting_.empty() || !running_.empty()) {
      cancel_.check();
      if (free_places() > 0 && !waiting_.empty()) {
        start_samples();
      } else if (free_places() > 0 && next_prompt_ < prompts_.size()) {
        prefill();
      } else {
        decode();
      }
      reports_.progress(tokens_, finished_);
    }
    return std::move(results_);
  }

 private:
  int64_t free_places() const { return options_.max_batch_size - static_cast<int64_t>(running_.size()); }

  // Computes the next prompts, as many as there is room for their samples, one at least.
  void prefill() {
    const Span span("prefill");
    Packing packing;
    std::vector<int64_t> last_rows, slots;
    int64_t places = free_places();
    const size_t first = waiting_.size();
    for (; next_prompt_ < prompts_.size() && places > 0; next_prompt_++) {
      const GeneratePrompt& prompt = prompts_[next_prompt_];
      const int64_t count = static_cast<int64_t>(prompt.token_ids.size());
      if (packing.token_count() > 0 && packing.token_count() + count > kPrefillTokens) break;
      packing.append(prompt.token_ids.data(), count, 0, 0, 0);
      last_rows.push_back(packing.token_count() - 1);
      waiting_.push_back({next_prompt_, {}, {}});
      const std::vector<int64_t> own = cache_.extend(waiting_.back().table, count);
      slots.insert(slots.end(), own.begin(), own.end());
      places -= static_cast<int64_t>(prompt.seeds.size());
    }
    packing.build_blocks(weights_.device);
    const at::Tensor slot_tensor = token_tensor(slots, weights_.device);
    const Attend attend = [&](int64_t layer, const at::Tensor& qkv, AttentionSaved*) {
      cancel_.check();
      store(layer, slot_tensor, qkv);
      return attention_forward(shape_, packing, qkv, nullptr);
    };
    const at::Tensor hidden = decoder_forward(shape_, weights_, token_tensor(packing.token_ids, weights_.device),
                                              make_rope(shape_, packing.positions, weights_.device), attend, nullptr)
                                  .index_select(0, token_tensor(last_rows, weights_.device));
    const at::Tensor logits = logits_of(hidden);
    for (size_t i = first; i < waiting_.size(); i++) {
      const float* row = logits.const_data_ptr<float>() + static_cast<int64_t>(i - first) * shape_.vocab_size;
      waiting_[i].logits.assign(row, row + shape_.vocab_size);
    }
  }

  // Draws the first tokens of waiting samples while there is room; they share their prompt's blocks.
  void start_samples() {
    while (free_places() > 0 && !waiting_.empty()) {
      WaitingPrompt& waiting = waiting_.front();
      const std::vector<uint64_t>& seeds = prompts_[waiting.prompt].seeds;
      const size_t sample = waiting.next_sample++;
      Sequence sequence{waiting.prompt, sample, seeds[sample], cache_.share(waiting.table)};
      if (append(sequence, draw(sequence, waiting.logits.data()))) {
        cache_.release(sequence.table);
      } else {
        running_.push_back(std::move(sequence));
      }
      if (waiting.next_sample == seeds.size()) {
        cache_.release(waiting.table);
        waiting_.pop_front();
      }
    }
  }

  // One token for every running sequence.
  void decode() {
    const Span span("decode");
    const Brief brief(decoded_++ % kTracedDecode != 0);
    std::vector<int64_t> tokens, positions, slots;
    std::vector<const BlockTable*> tables;
    for (Sequence& sequence : running_) {
      tokens.push_back(sequence.last_token);
      positions.push_back(sequence.table.length);
      slots.push_back(cache_.extend(sequence.table, 1)[0]);
      tables.push_back(&sequence.table);
    }
    const at::Tensor slot_tensor = token_tensor(slots, weights_.device);
    const Attend attend = [&](int64_t layer, const at::Tensor& qkv, AttentionSaved*) {
      store(layer, slot_tensor, qkv);
      return decode_attention(shape_, cache_, layer, qkv.narrow(1, 0, shape_.head_count * shape_.head_dim), tables);
    };
    const at::Tensor logits =
        logits_of(decoder_forward(shape_, weights_, token_tensor(tokens, weights_.device),
                                  make_rope(shape_, positions, weights_.device), attend, nullptr));
    const Span sample("sample");
    std::vector<SampledToken> drawn(running_.size());
    at::parallel_for(0, static_cast<int64_t>(running_.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        drawn[i] = draw(running_[i], logits.const_data_ptr<float>() + i * shape_.vocab_size);
      }
    });
    std::vector<Sequence> going_on;
    for (size_t i = 0; i < running_.size(); i++) {
      Sequence& sequence = running_[i];
      if (append(sequence, drawn[i])) {
        cache_.release(sequence.table);
      } else {
        going_on.push_back(std::move(sequence));
      }
    }
    running_ = std::move(going_on);
  }

  void store(int64_t layer, const at::Tensor& slots, const at::Tensor& qkv) {
    const Span span("kv write");
    const int64_t q = shape_.head_count * shape_.head_dim, kv = shape_.key_value_head_count * shape_.head_dim;
    cache_.write(layer, slots, qkv.narrow(1, q, kv), qkv.narrow(1, q + kv, kv));
  }

  // [n, V] float32 on the CPU, where tokens are drawn.
  at::Tensor logits_of(const at::Tensor& hidden) {
    const Span span("logits");
    return float_product(hidden, weights_.head().value.t()).to(at::kCPU).contiguous();
  }

  // The next token of a sequence, from its own random stream.
  SampledToken draw(const Sequence& sequence, const float* logits) const {
    const size_t index = results_[sequence.prompt][sequence.sample].token_ids.size();
    return sample_token(logits, shape_.vocab_size, options_, uniform(sequence.seed, index));
  }

  // Most new tokens of a sequence.
  int64_t limit_of(const Sequence& sequence) const {
    const std::vector<int32_t>& limits = prompts_[sequence.prompt].max_new_tokens;
    return limits.empty() ? options_.max_new_tokens : limits[sequence.sample];
  }

  // Adds a token to a sequence's completion; true when it is the last one.
  bool append(Sequence& sequence, const SampledToken& sampled) {
    Completion& completion = results_[sequence.prompt][sequence.sample];
    completion.token_ids.push_back(sampled.token);
    completion.logprobs.push_back(sampled.logprob);
    completion.entropy.push_back(sampled.entropy);
    sequence.last_token = sampled.token;
    tokens_++;
    const std::vector<int32_t>& stops = options_.stop_token_ids;
    completion.stopped = std::find(stops.begin(), stops.end(), sampled.token) != stops.end();
    const bool done = completion.stopped || static_cast<int64_t>(completion.token_ids.size()) == limit_of(sequence);
    if (done) {
      finished_++;
      if (--unfinished_[sequence.prompt] == 0) reports_.group(sequence.prompt, results_[sequence.prompt]);
    }
    return done;
  }

  Policy& policy_;
  const Shape& shape_;
  Weights& weights_;
  const std::vector<GeneratePrompt>& prompts_;
  const GenerateOptions& options_;
  const Cancel& cancel_;
  const GenerateReports& reports_;
  KvCache cache_;
  std::vector<std::vector<Completion>> results_;
  std::vector<size_t> unfinished_;  // completions a prompt
  std::vector<Sequence> running_;
  std::deque<WaitingPrompt> waiting_;
  size_t next_prompt_ = 0;
  int64_t tokens_ = 0, finished_ = 0, decoded_ = 0;
};

}  // namespace

void GenerateOptions::validate(int64_t vocab_size) const {
  const auto refuse = [](const std::string& message) { throw Error("INVALID_ARGUMENT", message); };
  if (max_new_tokens < 1) refuse("maxNewTokens is " + std::to_string(max_new_tokens) + ": it must be at least 1");
  if (!std::isfinite(temperature) || temperature < 0) {
    refuse("temperature is " + std::to_string(temperature) + ": it must be 0 (greedy) or more");
  }
  if (!(top_p > 0 && top_p <= 1)) refuse("topP is " + std::to_string(top_p) + ": it must be in (0, 1]");
  if (top_k < 0) refuse("topK is " + std::to_string(top_k) + ": it must be 0 (off) or more");
  if (max_batch_size < 1) refuse("maxBatchSize is " + std::to_string(max_batch_size) + ": it must be at least 1");
  for (int32_t token : stop_token_ids) {
    if (token < 0 || token >= vocab_size) {
      refuse("stopTokenIds has " + std::to_string(token) + ", outside the vocabulary of " + std::to_string(vocab_size));
    }
  }
}

std::vector<std::vector<Completion>> generate(Policy& policy, const std::vector<GeneratePrompt>& prompts,
                                              const GenerateOptions& options, const Cancel& cancel,
                                              const GenerateReports& reports) {
  const Span span("generate");
  const int64_t vocab = policy.shape().vocab_size;
  options.validate(vocab);
  if (prompts.empty()) throw Error("INVALID_ARGUMENT", "prompts is empty: give at least one prompt");
  for (size_t p = 0; p < prompts.size(); p++) {
    const std::string name = "prompts[" + std::to_string(p) + "]";
    if (prompts[p].token_ids.empty()) {
      throw Error("INVALID_ARGUMENT", name + ".promptTokenIds is empty: a prompt needs at least one token");
    }
    if (prompts[p].seeds.empty()) throw Error("INVALID_ARGUMENT", name + ".n is 0: ask for at least one completion");
    for (const int32_t limit : prompts[p].max_new_tokens) {
      if (limit < 1 || limit > options.max_new_tokens) {
        throw Error("INVALID_ARGUMENT", name + ".maxNewTokens has " + std::to_string(limit) +
                                            ": it must be from 1 to " + std::to_string(options.max_new_tokens) +
                                            ", the maxNewTokens of the call");
      }
    }
    for (size_t i = 0; i < prompts[p].token_ids.size(); i++) {
      const int32_t token = prompts[p].token_ids[i];
      if (token < 0 || token >= vocab) {
        throw Error("INVALID_ARGUMENT", name + ".promptTokenIds[" + std::to_string(i) + "] is " +
                                            std::to_string(token) + ", outside the vocabulary of " +
                                            std::to_string(vocab));
      }
    }
  }
  return Generation(policy, prompts, options, cancel, reports).run();
}

}  // namespace magic
