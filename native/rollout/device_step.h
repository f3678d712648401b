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
  // The same where they lie on the device already: slots [n] int64, blocks [B, blocks a row] and lengths [B] int32,
  // none of them above `longest`.
  DeviceStep(at::Tensor slots, at::Tensor blocks, at::Tensor lengths, int64_t longest);

  // Writes keys and values [n, Hkv D], rows of one wider matrix, into the slots.
  void store(const KvCache& cache, int64_t layer, const at::Tensor& keys, const at::Tensor& values) const;
  // queries [B, Hq D], rows of a wider matrix, to output [B, Hq D]; of a head size that has a kernel. partial: scratch
  // of `partial_size` float32.
  void attend(const Shape& shape, const KvCache& cache, int64_t layer, const at::Tensor& queries,
              const at::Tensor& output, const at::Tensor& partial) const;
  at::Tensor attend(const Shape& shape, const KvCache& cache, int64_t layer, const at::Tensor& queries) const;
  static int64_t partial_size(const Shape& shape, int64_t batch, int64_t longest);

 private:
  at::Tensor slots_;             // [n] int64
  at::Tensor blocks_, lengths_;  // [B, blocks a row], [B] int32
  int64_t longest_ = 0;
};

}  // namespace magic
