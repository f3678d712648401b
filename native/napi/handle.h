#pragma once
// Long-lived native objects in JS hands: type-tagged externals that share ownership with the work in flight.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "napi/addon_api.h"
#include "napi/convert.h"
#include "napi/policy_state.h"
#include "runtime/cancel.h"
#include "runtime/error.h"

namespace magic {

template <class T>
struct HandleType;
template <>
struct HandleType<PolicyState> {
  static constexpr napi_type_tag tag{0x6d616769632d6772, 0x706f2e706f6c6963};
  static constexpr const char* name = "policy";
};
template <>
struct HandleType<Snapshot> {
  static constexpr napi_type_tag tag{0x6d616769632d6772, 0x706f2e736e617073};
  static constexpr const char* name = "snapshot";
};
template <>
struct HandleType<Cancel> {
  static constexpr napi_type_tag tag{0x6d616769632d6772, 0x706f2e63616e6365};
  static constexpr const char* name = "cancel";
};

template <class T>
struct Handle {
  std::shared_ptr<T> state;     // null once disposed
  int64_t accounted_bytes = 0;  // what V8 was told

  void account(Napi::Env env, int64_t bytes) {
    if (bytes == accounted_bytes) return;
    Napi::MemoryManagement::AdjustExternalMemory(env, bytes - accounted_bytes);
    accounted_bytes = bytes;
  }

  void dispose(Napi::Env env) {
    state = nullptr;
    account(env, 0);
  }
};

template <class T>
Napi::Value wrap(Napi::Env env, std::shared_ptr<T> state) {
  auto external =
      Napi::External<Handle<T>>::New(env, new Handle<T>{std::move(state)}, [](Napi::Env env, Handle<T>* handle) {
        handle->dispose(env);
        delete handle;
      });
  external.TypeTag(&HandleType<T>::tag);
  return external;
}

template <class T>
Handle<T>& unwrap(Napi::Value value) {
  if (!value.IsExternal() || !value.As<Napi::External<Handle<T>>>().CheckTypeTag(&HandleType<T>::tag))
    throw Error("INVALID_ARGUMENT",
                std::string("expected a ") + HandleType<T>::name + " handle, got " + describe(value));
  return *value.As<Napi::External<Handle<T>>>().Data();
}

// The live policy behind a handle; also brings V8's account of its memory up to date.
inline std::shared_ptr<PolicyState> live_policy(Napi::Value value) {
  auto& handle = unwrap<PolicyState>(value);
  if (!handle.state) throw Error("DISPOSED", "the policy is disposed: no call is possible after dispose()");
  handle.account(value.Env(), handle.state->bytes);
  return handle.state;
}

// An absent cancel handle is a flag that nobody raises.
inline std::shared_ptr<Cancel> cancel_of(Napi::Value value) {
  return value.IsUndefined() || value.IsNull() ? std::make_shared<Cancel>() : unwrap<Cancel>(value).state;
}

}  // namespace magic
