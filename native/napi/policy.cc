// createPolicy, loadPolicy, disposePolicy, parameterShapes, parameter, gradient, logits, resetOptimizer, loadOptimizer

#include "policy/policy.h"

#include <optional>
#include <utility>

#include "napi/convert.h"
#include "napi/handle.h"
#include "napi/policy_state.h"
#include "napi/register.h"
#include "napi/shape.h"

namespace magic {

namespace {

std::vector<TensorSource> sources_of(Napi::Value value) {
  std::vector<TensorSource> sources;
  for (const auto& element : elements(value, "tensors")) {
    const Fields fields(element, "tensors[" + std::to_string(sources.size()) + "]");
    sources.push_back({fields.string("name"), fields.string("dtype"), fields.integers("shape"), fields.string("path"),
                       fields.integer("begin"), fields.integer("end")});
  }
  return sources;
}

// The `lora` of a policy's options: its adapter, drawn or read.
struct Lora {
  LoraOptions options;
  std::optional<std::vector<TensorSource>> tensors;
};

std::optional<Lora> lora_of(const Fields& options) {
  if (!options.has("lora")) return std::nullopt;
  const Fields fields(options.get("lora"), "lora");
  Lora lora;
  lora.options = lora_options_of(fields);
  if (fields.has("tensors")) lora.tensors = sources_of(fields.get("tensors"));
  return lora;
}

// Takes over a policy on the torch thread.
Deliver deliver_policy(std::unique_ptr<Policy> policy, const std::optional<Lora>& lora) {
  if (lora && lora->tensors) {
    policy->add_adapters(lora->options, SafetensorsReader(*lora->tensors));
  } else if (lora) {
    policy->add_adapters(lora->options);
  }
  auto state = PolicyState::make();
  for (const auto& slices : {policy->weights().slices(policy->shape()), policy->weights().adapter_slices()})
    for (const auto& slice : slices) state->parameter_shapes.emplace_back(slice.name, slice.shape);
  state->policy = std::move(policy);
  update_bytes(*state);
  return [state](Napi::Env env) {
    const auto handle = wrap(env, state);
    live_policy(handle);  // tells V8 of its memory
    return handle;
  };
}

Task create_policy(const Napi::CallbackInfo& info) {
  const Fields options(info[1], "createPolicy options");
  return {[shape = shape_of(info[0]), device = options.string("device"), dtype = options.string("dtype"),
           seed = uint64(options.get("seed"), "createPolicy options.seed"), lora = lora_of(options)](const Reports&) {
    return deliver_policy(Policy::create(shape, device, dtype, seed), lora);
  }};
}

Task load_policy(const Napi::CallbackInfo& info) {
  const Fields options(info[2], "loadPolicy options");
  return {[shape = shape_of(info[0]), sources = sources_of(info[1]), device = options.string("device"),
           dtype = options.string("dtype"), lora = lora_of(options)](const Reports&) {
    const SafetensorsReader reader(sources);
    return deliver_policy(Policy::load(shape, reader, device, dtype), lora);
  }};
}

Napi::Value parameter_shapes(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  const auto state = live_policy(info[0]);
  auto result = Napi::Array::New(env, state->parameter_shapes.size());
  uint32_t index = 0;
  for (const auto& [name, shape] : state->parameter_shapes) {
    auto sizes = Napi::Array::New(env, shape.size());
    for (uint32_t i = 0; i < shape.size(); ++i) sizes.Set(i, static_cast<double>(shape[i]));
    auto entry = Napi::Object::New(env);
    entry.Set("name", name);
    entry.Set("shape", sizes);
    result.Set(index++, entry);
  }
  return result;
}

Deliver deliver_tensor(const at::Tensor& tensor) {
  const auto values = tensor.contiguous();
  const auto* data = values.const_data_ptr<float>();
  return [copy = std::vector<float>(data, data + values.numel())](Napi::Env env) { return to_js(env, copy); };
}

// A task on a live policy that yields one tensor or nothing.
template <class Work>
Task on_policy(const Napi::CallbackInfo& info, Work work) {
  return {[state = live_policy(info[0]), work = std::move(work)](const Reports&) -> Deliver {
    if constexpr (std::is_void_v<decltype(work(*state->policy))>) {
      work(*state->policy);
      update_bytes(*state);
      return [](Napi::Env env) { return env.Undefined(); };
    } else {
      return deliver_tensor(work(*state->policy));
    }
  }};
}

Task parameter(const Napi::CallbackInfo& info) {
  return on_policy(info, [name = string(info[1], "name")](Policy& policy) { return policy.parameter(name); });
}

Task gradient(const Napi::CallbackInfo& info) {
  return on_policy(info, [name = string(info[1], "name")](Policy& policy) { return policy.gradient(name); });
}

Task logits(const Napi::CallbackInfo& info) {
  return on_policy(info, [tokens = int32s(info[1], "tokenIds")](Policy& policy) { return policy.logits(tokens); });
}

Task reset_optimizer(const Napi::CallbackInfo& info) {
  return on_policy(info, [](Policy& policy) { policy.optimizer().reset(); });
}

Task load_optimizer(const Napi::CallbackInfo& info) {
  return on_policy(info, [sources = sources_of(info[1])](Policy& policy) {
    const SafetensorsReader reader(sources);
    policy.load_optimizer(reader);
  });
}

}  // namespace

void update_bytes(PolicyState& state) {
  int64_t bytes = 0;
  auto& weights = state.policy->weights();
  auto& optimizer = state.policy->optimizer();
  auto parameters = weights.parameters();
  for (auto* adapter : weights.adapters()) parameters.insert(parameters.end(), {&adapter->a, &adapter->b});
  for (const auto* parameter : parameters) {
    for (const auto* tensor : {&parameter->value, &parameter->low_half}) {
      if (tensor->defined()) bytes += static_cast<int64_t>(tensor->nbytes());
    }
  }
  if (weights.gradients.defined()) bytes += static_cast<int64_t>(weights.gradients.nbytes());
  if (optimizer.has_moments()) {
    for (const auto& first : optimizer.first_moments(weights)) bytes += 2 * static_cast<int64_t>(first.nbytes());
  }
  state.bytes = bytes;
}

void register_policy(Napi::Env env, Napi::Object exports) {
  add_promise(env, exports, "createPolicy", create_policy);
  add_promise(env, exports, "loadPolicy", load_policy);
  add_function(env, exports, "disposePolicy", [](const Napi::CallbackInfo& info) {
    unwrap<PolicyState>(info[0]).dispose(info.Env());
    return info.Env().Undefined();
  });
  add_function(env, exports, "parameterShapes", parameter_shapes);
  add_promise(env, exports, "parameter", parameter);
  add_promise(env, exports, "gradient", gradient);
  add_promise(env, exports, "logits", logits);
  add_promise(env, exports, "resetOptimizer", reset_optimizer);
  add_promise(env, exports, "loadOptimizer", load_optimizer);
}

}  // namespace magic
