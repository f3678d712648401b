#pragma once
// What the kernels of a CUDA device need to know of a step, uploaded once for all of its layers.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "policy/shape.h"
#include "rollout/block_manager.h"
#include "rollout/kv_cache.h"

namespace magic {

struct DeviceStep {
  // slots: where each new token goes; tables: of the sequences that get one token.
  DeviceStep(const std::vector<int64_t>& slots, const std::vector<const BlockTable*>& tables, at::Device device);

  // Writes keys and values [n, Hkv D], rows of one wider matrix, into the slots.
  void store(const KvCache& cache, int64_t layer, const at::Tensor& keys, const at::Tensor& values) const;
  // queries [B, Hq D], rows of a wider matrix, to [B, Hq D]; of a head size that has a kernel.
  at::Tensor attend(const Shape& shape, const KvCache& cache, int64_t layer, const at::Tensor& queries) const;

 private:
  at::Tensor slots_;             // [n] int64
  at::Tensor blocks_, lengths_;  // [B, blocks a row], [B] int32
  int64_t longest_ = 0;
};

}  // namespace magic
