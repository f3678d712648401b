#pragma once
// JS values to C++ values and back. Inputs are copied; errors name the field, the value and what it has to be.

#include <cstdint>
#include <string>
#include <vector>

#include "napi/addon_api.h"

namespace magic {

// A value as it reads in an error message: "x", 3, an array of 2, a Float64Array of 5.
std::string describe(Napi::Value value);

// The fields of one object argument. `label` says which: "trainStep options".
class Fields {
 public:
  Fields(Napi::Value value, std::string label);

  bool has(const char* name) const;  // neither undefined nor null
  Napi::Value get(const char* name) const;
  double number(const char* name) const;  // finite
  int64_t integer(const char* name) const;
  bool boolean(const char* name) const;
  std::string string(const char* name) const;
  std::vector<int64_t> integers(const char* name) const;  // from a plain array
  std::vector<int32_t> int32s(const char* name) const;
  std::vector<float> float32s(const char* name) const;
  std::vector<float> optional_float32s(const char* name) const;  // empty when absent
  std::vector<double> float64s(const char* name) const;
  std::vector<uint64_t> uint64s(const char* name) const;

  [[noreturn]] void fail(const char* name, const std::string& expected, Napi::Value got) const;

 private:
  Napi::Object object_;
  std::string label_;
};

// The elements of an array argument.
std::vector<Napi::Value> elements(Napi::Value value, const std::string& label);
std::vector<int32_t> int32s(Napi::Value value, const std::string& label);
std::string string(Napi::Value value, const std::string& label);
std::vector<std::string> strings(Napi::Value value, const std::string& label);
uint64_t uint64(Napi::Value value, const std::string& label);

Napi::Value to_js(Napi::Env env, const std::vector<float>& values);
Napi::Value to_js(Napi::Env env, const std::vector<int32_t>& values);
Napi::Value to_js(Napi::Env env, const std::vector<double>& values);
Napi::Value to_js(Napi::Env env, const float* values, size_t count);

}  // namespace magic
