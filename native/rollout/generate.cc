#include "rollout/generate.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "cuda/device_kernels.h"
#include "policy/decoder.h"
#include "policy/policy.h"
#include "rollout/model_runner.h"
#include "rollout/sampler.h"
#include "rollout/scheduler.h"
#include "runtime/memory.h"
#include "runtime/trace.h"

namespace magic {

namespace {

// One decoding step in so many is traced with what is inside of it.
constexpr int64_t kTracedDecode = 16;
// The share of free memory that the cache may take where the call does not say.
constexpr int64_t kFreeShare = 2;

int64_t most_blocks(Policy& policy, const std::vector<GeneratePrompt>& prompts, const GenerateOptions& options) {
  const int64_t block = KvCache::block_bytes(policy.shape(), policy.weights().dtype);
  int64_t longest = 0;
  for (const GeneratePrompt& prompt : prompts) {
    longest = std::max(longest, static_cast<int64_t>(prompt.token_ids.size()));
  }
  // The last token of a completion is never in the cache.
  const int64_t needed = (longest + options.max_new_tokens - 1 + kBlockSlots - 1) / kBlockSlots;
  if (options.kv_cache_bytes == 0) {
    return std::max(needed, free_memory_bytes(policy.weights().device) / kFreeShare / block);
  }
  if (options.kv_cache_bytes / block < needed) {
    throw Error("INVALID_ARGUMENT", "kvCacheBytes is " + std::to_string(options.kv_cache_bytes) + ": a prompt of " +
                                        std::to_string(longest) + " tokens with " +
                                        std::to_string(options.max_new_tokens) + " new ones takes " +
                                        std::to_string(needed * block) +
                                        "; give at least that, or 0 for a share of the "
                                        "free memory");
  }
  return options.kv_cache_bytes / block;
}

class Generation {
 public:
  Generation(Policy& policy, const std::vector<GeneratePrompt>& prompts, const GenerateOptions& options,
             const Cancel& cancel, const GenerateReports& reports)
      : vocab_size_(policy.shape().vocab_size),
        prompts_(prompts),
        options_(options),
        cancel_(cancel),
        reports_(reports),
        blocks_(most_blocks(policy, prompts, options)),
        scheduler_(blocks_, options.max_batch_size),
        runner_(policy, cancel),
        results_(prompts.size()),
        unfinished_(prompts.size()) {
    for (size_t p = 0; p < prompts.size(); p++) {
      unfinished_[p] = prompts[p].seeds.size();
      results_[p].resize(unfinished_[p]);
      for (size_t i = 0; i < unfinished_[p]; i++) {
        const std::vector<int32_t>& tokens = prompts[p].token_ids;
        scheduler_.add({p, i, prompts[p].seeds[i], tokens, static_cast<int64_t>(tokens.size()), {}});
      }
    }
  }

  Generated run() {
    while (!scheduler_.finished()) {
      cancel_.check();
      step();
      reports_.progress(tokens_, finished_);
    }
    return {std::move(results_),
            {scheduler_.computed_prompt_tokens, scheduler_.shared_prompt_tokens, scheduler_.preemptions,
             blocks_.peak_blocks() * kBlockSlots}};
  }

 private:
  // A token for every sequence that is in the cache as a whole, and a piece of the prompts that are not.
  void step() {
    const Step step = scheduler_.schedule();
    const bool decoding =
        std::all_of(step.chunks.begin(), step.chunks.end(), [](const Chunk& chunk) { return chunk.count == 1; });
    const Span span(decoding ? "decode" : "prefill");
    // A step that is replayed has little inside of it.
    const Brief brief(decoding && !runner_.captures_graphs() && decoded_++ % kTracedDecode != 0);
    if (runner_.decodes(step)) {
      const std::vector<SampledToken> drawn = runner_.decode(step, blocks_, options_);
      for (size_t i = 0; i < drawn.size(); i++) add(*step.chunks[i].sequence, drawn[i]);
      return;
    }
    std::vector<Sequence*> sequences;
    const at::Tensor logits = runner_.run(step, blocks_, sequences);
    const Span sample("sample");
    std::vector<std::pair<Sequence*, int64_t>> rows;
    for (size_t i = 0; i < sequences.size(); i++) {
      const auto row = static_cast<int64_t>(i);
      rows.emplace_back(sequences[i], row);
      if (sequences[i]->started()) continue;
      for (Sequence* other : scheduler_.fork(*sequences[i])) rows.emplace_back(other, row);
    }
    const std::vector<SampledToken> drawn = draw(logits, rows);
    for (size_t i = 0; i < rows.size(); i++) add(*rows[i].first, drawn[i]);
  }

  void add(Sequence& sequence, const SampledToken& sampled) {
    if (append(sequence, sampled)) scheduler_.finish(sequence);
  }

  // A token for each of these sequences, from a row of the logits.
  std::vector<SampledToken> draw(const at::Tensor& logits, const std::vector<std::pair<Sequence*, int64_t>>& rows) {
    if (!rows.empty() && device_kernels(logits.device())) {
      SampleKeys keys;
      std::vector<int64_t> from;
      for (const auto& [sequence, row] : rows) {
        keys.seeds.push_back(static_cast<int64_t>(sequence->seed));
        keys.counters.push_back(sequence->sampled());
        from.push_back(row);
      }
      const bool all = logits.size(0) == static_cast<int64_t>(rows.size());
      return sample_rows(all ? logits : logits.index_select(0, token_tensor(from, logits.device())), keys, options_);
    }
    std::vector<SampledToken> drawn(rows.size());
    at::parallel_for(0, static_cast<int64_t>(rows.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const auto& [sequence, row] = rows[i];
        drawn[i] = sample_token(logits.const_data_ptr<float>() + row * vocab_size_, vocab_size_, options_,
                                uniform(sequence->seed, static_cast<uint64_t>(sequence->sampled())));
      }
    });
    return drawn;
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
    sequence.tokens.push_back(sampled.token);
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

  int64_t vocab_size_;
  const std::vector<GeneratePrompt>& prompts_;
  const GenerateOptions& options_;
  const Cancel& cancel_;
  const GenerateReports& reports_;
  BlockManager blocks_;
  Scheduler scheduler_;
  ModelRunner runner_;
  std::vector<std::vector<Completion>> results_;
  std::vector<size_t> unfinished_;  // completions a prompt
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
  if (kv_cache_bytes < 0) {
    refuse("kvCacheBytes is " + std::to_string(kv_cache_bytes) + ": it must be 0 (a share of the free memory) or more");
  }
  if (max_batch_size < 1) refuse("maxBatchSize is " + std::to_string(max_batch_size) + ": it must be at least 1");
  for (int32_t token : stop_token_ids) {
    if (token < 0 || token >= vocab_size) {
      refuse("stopTokenIds has " + std::to_string(token) + ", outside the vocabulary of " + std::to_string(vocab_size));
    }
  }
}

Generated generate(Policy& policy, const std::vector<GeneratePrompt>& prompts, const GenerateOptions& options,
                   const Cancel& cancel, const GenerateReports& reports) {
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
