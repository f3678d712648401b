#pragma once
// What the next step computes: continuous batching (Orca, Yu et al. 2022) with prefill in chunks between decode steps
// (Sarathi-Serve, Agrawal et al. 2024). Every running sequence that waits for its next token gets it; what is left of
// the step's tokens goes to prompts. Where the KV cache is full, the youngest sequence gives up its blocks and is
// computed again later.

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "rollout/block_manager.h"

namespace magic {

// Tokens of a step: enough to keep the device busy, few enough that running sequences don't wait long.
constexpr int64_t kStepTokens = 512;

struct Sequence {
  size_t prompt, sample;
  uint64_t seed;
  std::vector<int32_t> tokens;  // the prompt's and those sampled
  int64_t prompt_length;
  BlockTable table;  // of the tokens that are in the cache

  int64_t uncomputed() const { return static_cast<int64_t>(tokens.size()) - table.length; }
  int64_t sampled() const { return static_cast<int64_t>(tokens.size()) - prompt_length; }
  bool started() const { return sampled() > 0; }
};

// The last `count` tokens of a sequence's table are to be computed.
struct Chunk {
  Sequence* sequence;
  int64_t count;
};

struct Step {
  std::vector<Chunk> chunks;
  std::vector<BlockCopy> copies;
};

class Scheduler {
 public:
  Scheduler(BlockManager& blocks, int64_t max_batch_size) : blocks_(blocks), max_batch_size_(max_batch_size) {}

  // The samples of a prompt come one after another.
  void add(Sequence sequence);
  bool finished() const { return waiting_.empty() && running_.empty(); }
  // Gives every chunk its blocks.
  Step schedule();
  // Starts other samples of a sequence's prompt, which has just been computed, over the same blocks.
  std::vector<Sequence*> fork(const Sequence& sequence);
  void finish(Sequence& sequence);

  int64_t computed_prompt_tokens = 0, shared_prompt_tokens = 0, preemptions = 0;

 private:
  void start(size_t i);
  int64_t free_places() const;
  bool prompt_is_running(const Sequence& sequence) const;
  // False: it was the sequence itself that had to give up its blocks.
  bool make_room(Sequence& sequence, int64_t count, Step& step);
  void admit(int64_t budget, Step& step);
  void preempt_youngest();

  BlockManager& blocks_;
  int64_t max_batch_size_;
  std::vector<std::unique_ptr<Sequence>> sequences_;
  std::deque<Sequence*> waiting_;
  std::vector<Sequence*> running_;                 // the youngest last
  std::unordered_map<size_t, int64_t> unstarted_;  // a prompt's samples that wait for their first token
};

}  // namespace magic
