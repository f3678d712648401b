#include "rollout/scheduler.h"

#include <algorithm>
#include <utility>

#include "runtime/error.h"

namespace magic {

namespace {

// However many run, prompts get their part of a step.
constexpr int64_t kLeastPromptTokens = 128;

}  // namespace

void Scheduler::add(Sequence sequence) {
  sequences_.push_back(std::make_unique<Sequence>(std::move(sequence)));
  waiting_.push_back(sequences_.back().get());
  unstarted_[waiting_.back()->prompt]++;
}

// The `i`th of those that wait runs from now on.
void Scheduler::start(size_t i) {
  Sequence* sequence = waiting_[i];
  waiting_.erase(waiting_.begin() + static_cast<int64_t>(i));
  running_.push_back(sequence);
  if (!sequence->started()) unstarted_[sequence->prompt]--;
}

// Whether this prompt is being computed, so that its other samples can start from it.
bool Scheduler::prompt_is_running(const Sequence& sequence) const {
  return !sequence.started() && std::any_of(running_.begin(), running_.end(), [&](const Sequence* other) {
    return other->prompt == sequence.prompt && !other->started();
  });
}

// Those that wait for their prompt have theirs.
int64_t Scheduler::free_places() const {
  int64_t taken = static_cast<int64_t>(running_.size());
  for (const Sequence* sequence : running_) {
    if (!sequence->started()) taken += unstarted_.at(sequence->prompt);
  }
  return std::max<int64_t>(0, max_batch_size_ - taken);
}

Step Scheduler::schedule() {
  Step step;
  const int64_t decoding =
      std::count_if(running_.begin(), running_.end(), [](const Sequence* s) { return s->uncomputed() == 1; });
  int64_t budget = std::max(kLeastPromptTokens, kStepTokens - decoding);
  const int64_t preempted = preemptions;
  for (size_t i = 0; i < running_.size(); i++) {
    Sequence& sequence = *running_[i];
    const bool decodes = sequence.uncomputed() == 1;
    const int64_t count = decodes ? 1 : std::min(sequence.uncomputed(), budget);
    if (count == 0) continue;
    if (!make_room(sequence, count, step)) break;
    if (!decodes) budget -= count;
    step.chunks.push_back({&sequence, count});
    if (!sequence.started()) computed_prompt_tokens += count;
  }
  if (preemptions == preempted) admit(budget, step);
  if (step.chunks.empty()) throw Error("INTERNAL", "the KV cache has no room for any sequence");
  return step;
}

bool Scheduler::make_room(Sequence& sequence, int64_t count, Step& step) {
  while (!blocks_.extend(sequence.table, sequence.tokens, count, step.copies)) {
    const bool itself = running_.back() == &sequence;
    preempt_youngest();
    if (itself) return false;
  }
  return true;
}

void Scheduler::preempt_youngest() {
  Sequence* sequence = running_.back();
  running_.pop_back();
  blocks_.release(sequence->table);
  waiting_.push_front(sequence);
  if (!sequence->started()) unstarted_[sequence->prompt]++;
  preemptions++;
}

void Scheduler::admit(int64_t budget, Step& step) {
  int64_t places = free_places();
  for (size_t i = 0; i < waiting_.size() && places > 0 && budget > 0;) {
    Sequence& sequence = *waiting_[i];
    if (prompt_is_running(sequence)) {
      i++;
      continue;
    }
    blocks_.share_prefix(sequence.table, sequence.tokens);
    const int64_t shared = sequence.table.length, count = std::min(sequence.uncomputed(), budget);
    // Those that run should have room to go on for a while.
    const int64_t needed = (shared + count + kBlockSlots - 1) / kBlockSlots - shared / kBlockSlots;
    const bool room = running_.empty() || needed + static_cast<int64_t>(running_.size()) <= blocks_.free_blocks();
    if (!room || !blocks_.extend(sequence.table, sequence.tokens, count, step.copies)) {
      blocks_.release(sequence.table);
      return;
    }
    start(i);
    step.chunks.push_back({&sequence, count});
    budget -= count;
    if (!sequence.started()) {
      shared_prompt_tokens += shared;
      computed_prompt_tokens += count;
    }
    places = free_places();
  }
}

std::vector<Sequence*> Scheduler::fork(const Sequence& sequence) {
  std::vector<Sequence*> forks;
  const int64_t& others = unstarted_[sequence.prompt];
  for (size_t i = 0; others > 0 && static_cast<int64_t>(running_.size()) < max_batch_size_;) {
    Sequence* other = waiting_[i];
    if (other->prompt != sequence.prompt || other->started()) {
      i++;
      continue;
    }
    other->table = blocks_.fork(sequence.table);
    shared_prompt_tokens += sequence.table.length;
    start(i);
    forks.push_back(other);
  }
  return forks;
}

void Scheduler::finish(Sequence& sequence) {
  blocks_.release(sequence.table);
  sequence.tokens = {};
  running_.erase(std::find(running_.begin(), running_.end(), &sequence));
}

}  // namespace magic
