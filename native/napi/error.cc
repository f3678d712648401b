#include "napi/error.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <new>

#include "runtime/error.h"

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

bool says_out_of_memory(const std::string& text) {
  return text.find("DefaultCPUAllocator") != std::string::npos || text.find("out of memory") != std::string::npos;
}

Failure out_of_memory(const std::string& detail) {
  return {
      "OUT_OF_MEMORY",
      "out of memory: lower maxTokensPerMicroBatch or maxBatchSize, or set activationCheckpointing (" + detail + ")"};
}

}  // namespace

Failure current_failure() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code, one_line(error.what())};
  } catch (const c10::OutOfMemoryError& error) {
    return out_of_memory(one_line(error.what_without_backtrace()));
  } catch (const c10::NotImplementedError& error) {
    return {"UNSUPPORTED", one_line(error.what_without_backtrace())};
  } catch (const c10::Error& error) {
    const auto text = one_line(error.what_without_backtrace());
    return says_out_of_memory(text) ? out_of_memory(text) : Failure{"INTERNAL", "libtorch: " + text};
  } catch (const std::bad_alloc& error) {
    return out_of_memory(one_line(error.what()));
  } catch (const std::exception& error) {
    return {"INTERNAL", one_line(error.what())};
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
