#include "train/batch.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "runtime/error.h"

namespace magic {

namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error("INVALID_ARGUMENT", message); }

void check_per_token(const std::vector<float>& values, const char* field, int64_t expected) {
  if (values.empty()) return;
  if (static_cast<int64_t>(values.size()) != expected) {
    refuse(std::string("batch.") + field + " has " + std::to_string(values.size()) + " values, but the batch has " +
           std::to_string(expected) + " response tokens: give one value a response token");
  }
  for (size_t i = 0; i < values.size(); i++) {
    if (!std::isfinite(values[i])) {
      refuse(std::string("batch.") + field + "[" + std::to_string(i) + "] is " + std::to_string(values[i]) +
             ": every value must be finite");
    }
  }
}

}  // namespace

int64_t Batch::response_token_count() const {
  int64_t count = static_cast<int64_t>(token_ids.size());
  for (int32_t length : prompt_lengths) count -= length;
  return count;
}

int64_t TrainingBatch::kept_token_count() const {
  if (loss_mask.empty()) return response_token_count();
  return static_cast<int64_t>(std::count(loss_mask.begin(), loss_mask.end(), 1.0f));
}

void Batch::validate(int64_t vocab_size) const {
  if (prompt_lengths.empty()) refuse("batch.promptLengths is empty: a batch needs at least one sequence");
  if (offsets.size() != prompt_lengths.size() + 1) {
    refuse("batch.offsets has " + std::to_string(offsets.size()) + " values, but promptLengths has " +
           std::to_string(prompt_lengths.size()) + ": offsets needs one more than there are sequences");
  }
  if (offsets.front() != 0) refuse("batch.offsets[0] is " + std::to_string(offsets.front()) + ": it must be 0");
  if (offsets.back() != static_cast<int64_t>(token_ids.size())) {
    refuse("batch.offsets ends with " + std::to_string(offsets.back()) + ", but tokenIds has " +
           std::to_string(token_ids.size()) + " tokens: the last offset must be the number of tokens");
  }
  for (size_t s = 0; s < prompt_lengths.size(); s++) {
    const int64_t length = static_cast<int64_t>(offsets[s + 1]) - offsets[s];
    if (length < 1) {
      refuse("batch.offsets[" + std::to_string(s + 1) + "] is " + std::to_string(offsets[s + 1]) + " after " +
             std::to_string(offsets[s]) + ": offsets must rise, every sequence has at least one token");
    }
    if (prompt_lengths[s] < 1 || prompt_lengths[s] > length) {
      refuse("batch.promptLengths[" + std::to_string(s) + "] is " + std::to_string(prompt_lengths[s]) +
             ", but the sequence has " + std::to_string(length) + " tokens: it must be between 1 and that");
    }
  }
  for (size_t i = 0; i < token_ids.size(); i++) {
    if (token_ids[i] < 0 || token_ids[i] >= vocab_size) {
      refuse("batch.tokenIds[" + std::to_string(i) + "] is " + std::to_string(token_ids[i]) +
             ", outside the vocabulary of " + std::to_string(vocab_size) + ": use this policy's own tokenizer");
    }
  }
  if (response_token_count() == 0) {
    refuse("batch has no response tokens: at least one promptLengths must be less than its sequence's length");
  }
}

void TrainingBatch::validate(int64_t vocab_size, const LossOptions& options) const {
  Batch::validate(vocab_size);
  if (advantages.size() != prompt_lengths.size()) {
    refuse("batch.advantages has " + std::to_string(advantages.size()) + " values, but the batch has " +
           std::to_string(prompt_lengths.size()) + " sequences: give one advantage a sequence");
  }
  for (size_t s = 0; s < advantages.size(); s++) {
    if (!std::isfinite(advantages[s])) {
      refuse("batch.advantages[" + std::to_string(s) + "] is " + std::to_string(advantages[s]) +
             ": every advantage must be finite; look at the rewards of its group");
    }
  }
  const int64_t responses = response_token_count();
  check_per_token(old_logprobs, "oldLogprobs", responses);
  check_per_token(reference_logprobs, "referenceLogprobs", responses);
  check_per_token(sampler_logprobs, "samplerLogprobs", responses);
  check_per_token(loss_mask, "lossMask", responses);
  for (size_t i = 0; i < loss_mask.size(); i++) {
    if (loss_mask[i] != 0 && loss_mask[i] != 1) {
      refuse("batch.lossMask[" + std::to_string(i) + "] is " + std::to_string(loss_mask[i]) + ": use 0 or 1");
    }
  }
  if (!loss_mask.empty() && kept_token_count() == 0) {
    refuse("batch.lossMask is 0 everywhere: at least one response token must count");
  }
  if (options.kl_coefficient != 0 && reference_logprobs.empty()) {
    refuse("klCoefficient is " + std::to_string(options.kl_coefficient) +
           ", but batch.referenceLogprobs is absent: score the batch with the reference policy, or set it to 0");
  }
  if (options.importance_sampling_cap > 0 && sampler_logprobs.empty()) {
    refuse("importanceSamplingCap is " + std::to_string(options.importance_sampling_cap) +
           ", but batch.samplerLogprobs is absent: give what the sampler reported, or leave the cap out");
  }
  if (options.aggregation == Aggregation::kSequenceMeanTokenSum && !(options.aggregation_constant > 0)) {
    refuse("aggregation is \"sequence-mean-token-sum\", but aggregationConstant is " +
           std::to_string(options.aggregation_constant) +
           ": give the constant that token sums are divided by, above 0");
  }
}

}  // namespace magic
