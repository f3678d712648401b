#pragma once
// A decoder with its weights and, once trained, gradients and optimizer state. Lives on the torch thread.

#include <ATen/core/Tensor.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/safetensors.h"
#include "optim/adamw.h"
#include "policy/shape.h"
#include "policy/weights.h"

namespace magic {

class Snapshot;

// device: "cpu", "cuda", "cuda:1"; dtype: "float32", "bfloat16".
at::Device parse_device(const std::string& device);
at::ScalarType parse_dtype(const std::string& dtype);

class Policy {
 public:
  static std::unique_ptr<Policy> create(const Shape& shape, const std::string& device, const std::string& dtype,
                                        uint64_t seed);
  static std::unique_ptr<Policy> load(const Shape& shape, const SafetensorsReader& reader, const std::string& device,
                                      const std::string& dtype);
  // Freezes the model and puts adapters on it: A uniform in +-1 / sqrt(in) as PEFT draws it, B zero, or both as read.
  void add_adapters(const LoraOptions& options);
  void add_adapters(const LoraOptions& options, const SafetensorsReader& reader);

  const Shape& shape() const { return shape_; }
  Weights& weights() { return weights_; }
  AdamW& optimizer() { return optimizer_; }

  at::Tensor parameter(const std::string& name);             // float32 CPU copy of the master, or of what is frozen
  at::Tensor gradient(const std::string& name);              // float32 CPU copy
  at::Tensor logits(const std::vector<int32_t>& token_ids);  // [V] float32 CPU, last position

  void load_optimizer(const SafetensorsReader& reader);

  // Most bytes that micro-batches are planned for, once memory has run out at more.
  int64_t activation_limit = std::numeric_limits<int64_t>::max();

  // What it is now, for another thread to write.
  std::shared_ptr<Snapshot> snapshot();
  // Before anything that is trained changes in place: snapshots that are still written take copies.
  void keep_snapshots();

 private:
  NamedSlice find(const std::string& name);

  Policy(const Shape& shape, Weights weights) : shape_(shape), weights_(std::move(weights)) {}
  Shape shape_;
  Weights weights_;
  AdamW optimizer_;
  std::vector<std::weak_ptr<Snapshot>> snapshots_;
};

}  // namespace magic
