#include "checkpoint/snapshot.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "runtime/error.h"
#include "runtime/trace.h"

namespace magic {

namespace {

// own() waits for one piece at most. What is not copied later, as it is small or has been, goes in one.
constexpr int64_t kPieceBytes = 8 << 20, kWhole = std::numeric_limits<int64_t>::max();

}  // namespace

Snapshot::Snapshot(const Shape& shape, const Weights& weights, AdamW& optimizer)
    : shape_(shape), weights_(weights), step_count_(optimizer.step_count()) {
  const Span span("snapshot");
  if (optimizer.has_moments()) {
    first_ = optimizer.first_moments(weights_);
    second_ = optimizer.second_moments(weights_);
  }
  std::vector<Parameter*> all = weights_.parameters();
  for (Adapter* adapter : weights_.adapters()) all.insert(all.end(), {&adapter->a, &adapter->b});
  for (Parameter* parameter : all) parameter->gradient.reset();
  weights_.gradients.reset();
  if (!weights_.device.is_cpu()) {
    const auto to_host = [](at::Tensor& tensor) { tensor = tensor.defined() ? tensor.to(at::kCPU) : tensor; };
    for (Parameter* parameter : all) {
      to_host(parameter->value);
      to_host(parameter->low_half);
    }
    for (std::vector<at::Tensor>* moments : {&first_, &second_})
      std::for_each(moments->begin(), moments->end(), to_host);
    weights_.device = at::kCPU;
    owns_ = true;
  } else if (!weights_.adapters().empty()) {
    own();  // adapters are small, and nothing else changes
  }
}

void Snapshot::own() {
  if (owns_) return;
  const Span span("copy snapshot");
  const ReadGate::Change change(gate_);
  const auto copy = [](at::Tensor& tensor) { tensor = tensor.defined() ? tensor.clone() : tensor; };
  for (Parameter* parameter : weights_.trained()) {
    copy(parameter->value);
    copy(parameter->low_half);
  }
  for (std::vector<at::Tensor>* moments : {&first_, &second_}) std::for_each(moments->begin(), moments->end(), copy);
  owns_ = true;
}

void Snapshot::write(const std::string& path, std::vector<TensorToWrite> tensors) {
  const bool changes = weights_.adapters().empty();
  write_safetensors(path, std::move(tensors), gate_, changes ? kPieceBytes : kWhole);
}

void Snapshot::write_parameters(const std::string& path, const std::vector<std::string>& names) {
  const std::vector<NamedSlice> slices = [this] {
    const auto reading = gate_.read();
    return weights_.slices(shape_);
  }();
  std::vector<TensorToWrite> tensors;
  for (const std::string& name : names) {
    const auto slice = std::find_if(slices.begin(), slices.end(), [&](const auto& each) { return each.name == name; });
    if (slice == slices.end()) throw Error("INVALID_ARGUMENT", "there is no parameter \"" + name + "\"");
    tensors.push_back({name, weights_.dtype, slice->shape, [this, slice](int64_t begin, int64_t end) {
                         return elements(weights_.merged(*slice), begin, end);
                       }});
  }
  write(path, std::move(tensors));
}

void Snapshot::write_adapter(const std::string& path) {
  std::vector<TensorToWrite> tensors;
  for (const NamedSlice& slice : weights_.adapter_slices()) {
    tensors.push_back({slice.name, at::kFloat, slice.shape,
                       [slice](int64_t begin, int64_t end) { return slice.master(begin, end); }});
  }
  write(path, std::move(tensors));
}

void Snapshot::write_optimizer(const std::string& path) {
  std::vector<TensorToWrite> tensors;
  const std::vector<Parameter*> parameters = weights_.trained();
  const std::vector<NamedSlice> slices = [this] {
    const auto reading = gate_.read();
    return weights_.trained_slices(shape_);
  }();
  for (const NamedSlice& slice : slices) {
    const size_t i = std::find(parameters.begin(), parameters.end(), slice.parameter) - parameters.begin();
    const auto add = [&](const std::string& prefix, auto values) {
      tensors.push_back({prefix + slice.name, at::kFloat, slice.shape, std::move(values)});
    };
    const auto moment = [&slice, i](const std::vector<at::Tensor>& moments) {
      return [slice, i, &moments](int64_t begin, int64_t end) {
        return moments.empty() ? at::zeros({end - begin}, at::kFloat) : elements(slice.of(moments[i]), begin, end);
      };
    };
    add("master.", [slice](int64_t begin, int64_t end) { return slice.master(begin, end); });
    add("exp_avg.", moment(first_));
    add("exp_avg_sq.", moment(second_));
  }
  tensors.push_back({"step", at::kDouble, {1}, [this](int64_t, int64_t) {
                       return at::full({1}, static_cast<double>(step_count_), at::kDouble);
                     }});
  write(path, std::move(tensors));
}

}  // namespace magic
