#pragma once
// Every C++ exception becomes a JS Error with `code` and one line of message; none leaves a callback.

#include <string>

#include "napi/addon_api.h"

namespace magic {

struct Failure {
  std::string code;
  std::string message;
};

// Describes the exception that is being handled. Call it in a catch block; not for Napi::Error.
Failure current_failure();

Napi::Error to_js_error(Napi::Env env, const Failure& failure);

// The body of a synchronous function: what it throws arrives as a JS Error with a code.
template <class Body>
auto guarded(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw to_js_error(env, current_failure());
  }
}

}  // namespace magic
