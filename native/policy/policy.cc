#include "policy/policy.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Generator.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "checkpoint/snapshot.h"
#include "cuda/device_kernels.h"
#include "cuda/device_stream.h"
#include "policy/decoder.h"
#include "product/product.h"
#include "runtime/error.h"

namespace magic {

namespace {

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Uninitialised, with this thread's work on the device on a stream that graphs can be captured of.
Weights weights_on(const std::string& name, const Shape& shape, const std::string& dtype) {
  const at::Device device = parse_device(name);
  leave_default_stream(device);
  return allocate_weights(shape, device, parse_dtype(dtype));
}

}  // namespace

at::Device parse_device(const std::string& device) {
  if (device == "cpu") return at::kCPU;
  const bool cuda = device == "cuda" || device.rfind("cuda:", 0) == 0;
  if (!cuda) throw Error("INVALID_ARGUMENT", "device is \"" + device + "\": use cpu, cuda or cuda:N");
  if (!at::hasCUDA()) {
    throw Error("UNSUPPORTED", "device is \"" + device +
                                   "\", but this libtorch sees no CUDA device: use device cpu, or a CUDA build of "
                                   "libtorch (magic-grpo doctor shows which one is loaded)");
  }
  const size_t count = at::getNumGPUs(), index = device == "cuda" ? 0 : std::stoul(device.substr(5));
  if (index >= count) {
    throw Error("INVALID_ARGUMENT", "device is \"" + device + "\", but there are " + std::to_string(count) +
                                        " CUDA devices: use cuda:0 to cuda:" + std::to_string(count - 1));
  }
  const at::Device found(at::kCUDA, static_cast<at::DeviceIndex>(index));
  device_kernels(found);  // or says now what is missing
  // The allocator is asked what is free where there is no tensor yet: before this it knows no device.
  at::globalContext().lazyInitDevice(at::kCUDA);
  return found;
}

at::ScalarType parse_dtype(const std::string& dtype) {
  if (dtype == "float32") return at::kFloat;
  if (dtype == "bfloat16") return at::kBFloat16;
  throw Error("INVALID_ARGUMENT", "dtype is \"" + dtype + "\": use float32 or bfloat16");
}

std::unique_ptr<Policy> Policy::create(const Shape& shape, const std::string& device, const std::string& dtype,
                                       uint64_t seed) {
  std::unique_ptr<Policy> policy(new Policy(shape, weights_on(device, shape, dtype)));
  // Drawn on the CPU in float32 and rounded: one seed gives one model on every device.
  at::Generator generator = at::detail::createCPUGenerator(seed);
  for (const NamedSlice& slice : policy->weights_.slices(shape)) {
    at::Tensor value = slice.of(slice.parameter->value);
    if (ends_with(slice.name, "norm.weight")) {
      value.fill_(1.0);
    } else if (ends_with(slice.name, ".bias")) {
      value.zero_();
    } else {
      value.copy_(at::empty(slice.shape, at::kFloat).normal_(0.0, shape.initializer_range, generator));
    }
  }
  return policy;
}

std::unique_ptr<Policy> Policy::load(const Shape& shape, const SafetensorsReader& reader, const std::string& device,
                                     const std::string& dtype) {
  std::unique_ptr<Policy> policy(new Policy(shape, weights_on(device, shape, dtype)));
  for (const NamedSlice& slice : policy->weights_.slices(shape)) {
    slice.of(slice.parameter->value).copy_(reader.get(slice.name, slice.shape));
  }
  return policy;
}

void Policy::add_adapters(const LoraOptions& options) {
  attach_adapters(weights_, shape_, options);
  at::Generator generator = at::detail::createCPUGenerator(options.seed);
  for (const NamedSlice& slice : weights_.adapter_slices()) {
    if (ends_with(slice.name, "lora_B.weight")) {
      slice.set_master(at::zeros(slice.shape, at::kFloat));
    } else {
      const double bound = 1.0 / std::sqrt(static_cast<double>(slice.shape[1]));
      slice.set_master(at::empty(slice.shape, at::kFloat).uniform_(-bound, bound, generator));
    }
  }
}

void Policy::add_adapters(const LoraOptions& options, const SafetensorsReader& reader) {
  attach_adapters(weights_, shape_, options);
  for (const NamedSlice& slice : weights_.adapter_slices()) {
    slice.set_master(reader.get(slice.name, slice.shape).to(at::kFloat));
  }
}

NamedSlice Policy::find(const std::string& name) {
  for (const std::vector<NamedSlice>& slices : {weights_.slices(shape_), weights_.adapter_slices()}) {
    for (const NamedSlice& slice : slices) {
      if (slice.name == name) return slice;
    }
  }
  throw Error("INVALID_ARGUMENT", "there is no parameter \"" + name + "\": parameterShapes() lists the names");
}

at::Tensor Policy::parameter(const std::string& name) {
  const NamedSlice slice = find(name);
  return slice.master().to(at::kCPU, at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
}

at::Tensor Policy::gradient(const std::string& name) {
  const NamedSlice slice = find(name);
  if (!slice.parameter->gradient.defined()) {
    const std::vector<Parameter*> trained = weights_.trained();
    if (std::find(trained.begin(), trained.end(), slice.parameter) == trained.end()) {
      throw Error("INVALID_ARGUMENT",
                  name + " is frozen and has no gradient: with lora only the adapter is trained, lora_A and lora_B");
    }
    throw Error("INVALID_ARGUMENT", "there is no gradient: call computeGradients first; trainStep uses it up");
  }
  return slice.of(slice.parameter->gradient)
      .to(at::kCPU, at::kFloat, /*non_blocking=*/false, /*copy=*/true)
      .contiguous();
}

at::Tensor Policy::logits(const std::vector<int32_t>& token_ids) {
  if (token_ids.empty()) throw Error("INVALID_ARGUMENT", "tokenIds is empty: logits needs at least one token");
  for (size_t i = 0; i < token_ids.size(); i++) {
    if (token_ids[i] < 0 || token_ids[i] >= shape_.vocab_size) {
      throw Error("INVALID_ARGUMENT", "tokenIds[" + std::to_string(i) + "] is " + std::to_string(token_ids[i]) +
                                          ", outside the vocabulary of " + std::to_string(shape_.vocab_size));
    }
  }
  Packing packing;
  packing.append(token_ids.data(), static_cast<int64_t>(token_ids.size()), 0, 0, 0);
  packing.build_blocks(weights_.device);
  const at::Tensor hidden = decoder_forward(shape_, weights_, token_tensor(packing.token_ids, weights_.device),
                                            make_rope(shape_, packing.positions, weights_.device),
                                            packed_attention(shape_, packing), nullptr);
  return float_product(hidden.narrow(0, hidden.size(0) - 1, 1), weights_.head().value.t()).view({-1}).to(at::kCPU);
}

std::shared_ptr<Snapshot> Policy::snapshot() {
  auto snapshot = std::make_shared<Snapshot>(shape_, weights_, optimizer_);
  snapshots_.push_back(snapshot);
  return snapshot;
}

void Policy::keep_snapshots() {
  for (const auto& each : snapshots_) {
    if (const auto snapshot = each.lock()) snapshot->own();
  }
  snapshots_.clear();
}

void Policy::load_optimizer(const SafetensorsReader& reader) {
  weights_.prepare_training();
  std::vector<at::Tensor>& first = optimizer_.first_moments(weights_);
  std::vector<at::Tensor>& second = optimizer_.second_moments(weights_);
  const std::vector<Parameter*> parameters = weights_.trained();
  // All is looked up and checked before anything is written: a file that does not fit changes nothing.
  const double step = reader.get("step", {1}).item<double>();
  if (!(step >= 0 && step <= 1e15 && step == std::floor(step))) {
    throw Error("FILE",
                "the optimizer's step is " + std::to_string(step) + ": it must be a whole number of at least 0");
  }
  std::vector<std::pair<NamedSlice, at::Tensor>> masters;
  std::vector<std::pair<at::Tensor, at::Tensor>> moments;
  for (const NamedSlice& slice : weights_.trained_slices(shape_)) {
    size_t i = 0;
    while (parameters[i] != slice.parameter) i++;
    masters.emplace_back(slice, reader.get("master." + slice.name, slice.shape));
    moments.emplace_back(slice.of(first[i]), reader.get("exp_avg." + slice.name, slice.shape));
    moments.emplace_back(slice.of(second[i]), reader.get("exp_avg_sq." + slice.name, slice.shape));
  }
  keep_snapshots();
  // What has been copied leaves memory with its source.
  for (auto& [slice, master] : masters) slice.set_master(std::exchange(master, {}).to(at::kFloat));
  for (auto& [target, source] : moments) target.copy_(std::exchange(source, {}));
  optimizer_.set_step_count(static_cast<int64_t>(step));
}

}  // namespace magic
