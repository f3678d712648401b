#pragma once
// Which blocks of the KV cache belong to which sequence. Sequences share the blocks of equal beginnings: full blocks
// are found again by what they hold (a hash over all tokens up to their end, as vLLM's prefix caching does), a block
// that is written by one of several holders is copied first. Blocks that nobody holds stay findable until they are
// needed.

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

namespace magic {

// Slots of a block, one a token.
constexpr int64_t kBlockSlots = 16;

// The blocks of one sequence, and how many of their slots are filled.
struct BlockTable {
  std::vector<int64_t> blocks;
  int64_t length = 0;
  std::vector<uint64_t> hashes;  // of its full blocks

  int64_t slot(int64_t position) const { return blocks[position / kBlockSlots] * kBlockSlots + position % kBlockSlots; }
};

// The first slots of a block, to be copied before anything is written.
struct BlockCopy {
  int64_t from, to, slots;
};

class BlockManager {
 public:
  explicit BlockManager(int64_t most_blocks) : most_blocks_(most_blocks) {}

  // Gives an empty table the full blocks that hold the beginning of these tokens already, but never all tokens: the
  // last one is always computed.
  void share_prefix(BlockTable& table, const std::vector<int32_t>& tokens);
  // Room for the next `count` of a sequence's tokens. False: there are too few blocks, and nothing has changed.
  bool extend(BlockTable& table, const std::vector<int32_t>& tokens, int64_t count, std::vector<BlockCopy>& copies);
  // A second table over the same blocks.
  BlockTable fork(const BlockTable& table);
  void release(BlockTable& table);

  int64_t free_blocks() const { return most_blocks_ - used_; }
  int64_t most_blocks() const { return most_blocks_; }
  // Blocks numbered so far: how long the cache has to be.
  int64_t block_count() const { return static_cast<int64_t>(blocks_.size()); }
  int64_t peak_blocks() const { return peak_; }

 private:
  struct Block {
    int32_t users = 0;   // tables that hold it
    uint64_t freed = 0;  // when it was last given back
    bool findable = false;
    uint64_t hash = 0, before = 0;  // with and without its own tokens
    std::vector<int32_t> tokens;
  };

  int64_t allocate();
  void hold(int64_t block);
  void publish(BlockTable& table, const std::vector<int32_t>& tokens);

  int64_t most_blocks_;
  int64_t used_ = 0, peak_ = 0;
  std::vector<Block> blocks_;
  std::unordered_map<uint64_t, int64_t> by_hash_;
  // Given back and when, the oldest first; those held again since are passed over.
  std::deque<std::pair<int64_t, uint64_t>> free_;
  uint64_t clock_ = 0;
};

}  // namespace magic
