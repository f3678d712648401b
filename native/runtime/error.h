#pragma once
// The one error type that native code throws on purpose. napi/ turns it, and everything else, into a NativeError.

#include <stdexcept>
#include <string>

namespace magic {

struct Error : std::runtime_error {
  // code: INVALID_ARGUMENT, FILE, UNSUPPORTED, OUT_OF_MEMORY, NOT_FINITE, ABORTED, DISPOSED, INTERNAL
  Error(std::string code, const std::string& message) : std::runtime_error(message), code(std::move(code)) {}
  std::string code;
};

}  // namespace magic
