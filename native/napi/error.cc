#include "napi/error.h"

#include <c10/util/Exception.h>

#include <algorithm>

#include "runtime/error.h"
#include "runtime/memory.h"

namespace magic {

namespace {

constexpr size_t kLongestMessage = 600;

std::string one_line(std::string text) {
  const auto begin = text.find_first_not_of(" \n\r\t");
  if (begin == std::string::npos) return "unknown error";
  text.erase(0, begin);
  text.erase(std::min(text.find('\n'), text.size()));
  if (text.size() > kLongestMessage) text = text.substr(0, kLongestMessage) + "...";
  return text;
}

Failure out_of_memory(const std::string& detail) {
  return {"OUT_OF_MEMORY",
          "out of memory: lower maxTokensPerMicroBatch or, while sampling, kvCacheBytes or maxBatchSize, shorten "
          "sequences, or train a lora adapter (" +
              detail + ")"};
}

}  // namespace

Failure current_failure() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code, one_line(error.what())};
  } catch (const c10::Error& error) {
    const auto text = one_line(error.what_without_backtrace());
    if (is_out_of_memory(error)) return out_of_memory(text);
    if (dynamic_cast<const c10::NotImplementedError*>(&error)) return {"UNSUPPORTED", text};
    return {"INTERNAL", "libtorch: " + text};
  } catch (const std::exception& error) {
    const auto text = one_line(error.what());
    return is_out_of_memory(error) ? out_of_memory(text) : Failure{"INTERNAL", text};
  } catch (...) {
    return {"INTERNAL", "unknown native error"};
  }
}

Napi::Error to_js_error(Napi::Env env, const Failure& failure) {
  auto error = Napi::Error::New(env, failure.message);
  error.Set("code", Napi::String::New(env, failure.code));
  return error;
}

}  // namespace magic
