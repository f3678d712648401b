#include "rollout/block_manager.h"

#include <algorithm>

namespace magic {

namespace {

// FNV-1a over words.
uint64_t hash_block(uint64_t before, const int32_t* tokens) {
  uint64_t hash = before ^ 0xcbf29ce484222325ULL;
  for (int64_t i = 0; i < kBlockSlots; i++) {
    hash = (hash ^ static_cast<uint32_t>(tokens[i])) * 0x100000001b3ULL;
    hash ^= hash >> 29;
  }
  return hash;
}

}  // namespace

int64_t BlockManager::allocate() {
  int64_t block = -1;
  while (block < 0 && !free_.empty()) {
    const auto [candidate, freed] = free_.front();
    free_.pop_front();
    if (blocks_[candidate].users == 0 && blocks_[candidate].freed == freed) block = candidate;
  }
  if (block < 0) {
    block = block_count();
    blocks_.emplace_back();
  }
  Block& taken = blocks_[block];
  if (taken.findable) by_hash_.erase(taken.hash);
  taken.findable = false;
  hold(block);
  return block;
}

void BlockManager::hold(int64_t block) {
  if (blocks_[block].users++ == 0) peak_ = std::max(peak_, ++used_);
}

void BlockManager::share_prefix(BlockTable& table, const std::vector<int32_t>& tokens) {
  uint64_t before = 0;
  while (table.length + kBlockSlots < static_cast<int64_t>(tokens.size())) {
    const int32_t* own = tokens.data() + table.length;
    const uint64_t hash = hash_block(before, own);
    const auto found = by_hash_.find(hash);
    if (found == by_hash_.end()) return;
    const Block& block = blocks_[found->second];
    if (block.before != before || !std::equal(block.tokens.begin(), block.tokens.end(), own)) return;
    hold(found->second);
    table.blocks.push_back(found->second);
    table.hashes.push_back(hash);
    table.length += kBlockSlots;
    before = hash;
  }
}

bool BlockManager::extend(BlockTable& table, const std::vector<int32_t>& tokens, int64_t count,
                          std::vector<BlockCopy>& copies) {
  const int64_t filled = table.length % kBlockSlots;
  const bool copy = filled > 0 && blocks_[table.blocks.back()].users > 1;
  const int64_t needed =
      (table.length + count + kBlockSlots - 1) / kBlockSlots - static_cast<int64_t>(table.blocks.size());
  if (needed + (copy ? 1 : 0) > free_blocks()) return false;
  if (copy) {
    const int64_t shared = table.blocks.back();
    table.blocks.back() = allocate();
    blocks_[shared].users--;
    copies.push_back({shared, table.blocks.back(), filled});
  }
  for (int64_t i = 0; i < needed; i++) table.blocks.push_back(allocate());
  table.length += count;
  publish(table, tokens);
  return true;
}

void BlockManager::publish(BlockTable& table, const std::vector<int32_t>& tokens) {
  while ((static_cast<int64_t>(table.hashes.size()) + 1) * kBlockSlots <= table.length) {
    const size_t i = table.hashes.size();
    const uint64_t before = i == 0 ? 0 : table.hashes.back();
    const int32_t* own = tokens.data() + i * kBlockSlots;
    table.hashes.push_back(hash_block(before, own));
    Block& block = blocks_[table.blocks[i]];
    if (!by_hash_.emplace(table.hashes.back(), table.blocks[i]).second) continue;
    block.findable = true;
    block.hash = table.hashes.back();
    block.before = before;
    block.tokens.assign(own, own + kBlockSlots);
  }
}

BlockTable BlockManager::fork(const BlockTable& table) {
  for (int64_t block : table.blocks) blocks_[block].users++;
  return table;
}

void BlockManager::release(BlockTable& table) {
  // The end of a sequence is forgotten before its beginning, which others are likelier to have too.
  for (auto block = table.blocks.rbegin(); block != table.blocks.rend(); ++block) {
    if (--blocks_[*block].users > 0) continue;
    used_--;
    blocks_[*block].freed = ++clock_;
    free_.emplace_back(*block, clock_);
  }
  table = {};
}

}  // namespace magic
