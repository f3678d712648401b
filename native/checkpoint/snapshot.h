#pragma once
// What a policy was at one moment, to be written on another thread while training goes on.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"
#include "optim/adamw.h"
#include "policy/shape.h"
#include "policy/weights.h"

namespace magic {

// On the CPU it shares the policy's tensors until they are about to change, and takes copies of what is trained then:
// no memory and no time where the writing is done before the next optimizer step, else 12 bytes a trained parameter
// while it lives. From another device everything is copied to the host at once.
class Snapshot {
 public:
  // On the torch thread, as own().
  Snapshot(const Shape& shape, const Weights& weights, AdamW& optimizer);
  // The policy is about to change.
  void own();

  // Each writes one file, on any thread. In the compute type, adapters merged into what they adapt.
  void write_parameters(const std::string& path, const std::vector<std::string>& names);
  void write_adapter(const std::string& path);  // PEFT's names, float32
  void write_optimizer(const std::string& path);

 private:
  void write(const std::string& path, std::vector<TensorToWrite> tensors);

  Shape shape_;
  Weights weights_;                         // without gradients
  std::vector<at::Tensor> first_, second_;  // moments in the order of weights_.trained(), or none yet
  int64_t step_count_;
  bool owns_ = false;
  ReadGate gate_;  // to the tensors, which own() replaces
};

}  // namespace magic
