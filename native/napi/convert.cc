#include "napi/convert.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "runtime/error.h"

namespace magic {

namespace {

constexpr size_t kLongestString = 60;
constexpr double kLargestInteger = 9007199254740991.0;  // Number.MAX_SAFE_INTEGER

const char* type_name(napi_typedarray_type type) {
  switch (type) {
    case napi_int8_array:
      return "Int8Array";
    case napi_uint8_array:
      return "Uint8Array";
    case napi_uint8_clamped_array:
      return "Uint8ClampedArray";
    case napi_int16_array:
      return "Int16Array";
    case napi_uint16_array:
      return "Uint16Array";
    case napi_int32_array:
      return "Int32Array";
    case napi_uint32_array:
      return "Uint32Array";
    case napi_float32_array:
      return "Float32Array";
    case napi_float64_array:
      return "Float64Array";
    case napi_bigint64_array:
      return "BigInt64Array";
    case napi_biguint64_array:
      return "BigUint64Array";
    default:
      return "typed array";
  }
}

[[noreturn]] void fail(const std::string& label, const std::string& expected, Napi::Value got) {
  throw Error("INVALID_ARGUMENT", label + " must be " + expected + ", got " + describe(got));
}

std::string with_article(const char* name) {
  return (std::strchr("AEIO", name[0]) != nullptr ? "an " : "a ") + std::string(name);
}

template <class T>
std::vector<T> copy_typed(Napi::Value value, napi_typedarray_type type, const std::string& label) {
  if (!value.IsTypedArray()) fail(label, with_article(type_name(type)), value);
  napi_typedarray_type got;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(value.Env(), value, &got, &length, &data, nullptr, nullptr) != napi_ok || got != type)
    fail(label, with_article(type_name(type)), value);
  std::vector<T> result(length);
  if (length > 0) std::memcpy(result.data(), data, length * sizeof(T));
  return result;
}

int64_t integer(Napi::Value value, const std::string& label) {
  if (!value.IsNumber()) fail(label, "an integer", value);
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(std::fabs(number) <= kLargestInteger) || std::trunc(number) != number) fail(label, "an integer", value);
  return static_cast<int64_t>(number);
}

template <class Array, class T>
Napi::Value copy_out(Napi::Env env, const T* values, size_t count) {
  auto array = Array::New(env, count);
  if (count > 0) std::memcpy(array.Data(), values, count * sizeof(T));
  return array;
}

}  // namespace

std::string describe(Napi::Value value) {
  if (value.IsUndefined() || value.IsNull() || value.IsBoolean() || value.IsNumber())
    return value.ToString().Utf8Value();
  if (value.IsBigInt()) return value.ToString().Utf8Value() + "n";
  if (value.IsString()) {
    auto text = value.As<Napi::String>().Utf8Value();
    return '"' + (text.size() > kLongestString ? text.substr(0, kLongestString) + "..." : text) + '"';
  }
  if (value.IsTypedArray()) {
    const auto array = value.As<Napi::TypedArray>();
    return with_article(type_name(array.TypedArrayType())) + " of " + std::to_string(array.ElementLength());
  }
  if (value.IsArray()) return "an array of " + std::to_string(value.As<Napi::Array>().Length());
  if (value.IsFunction()) return "a function";
  if (value.IsSymbol()) return "a symbol";
  return "an object";
}

Fields::Fields(Napi::Value value, std::string label) : label_(std::move(label)) {
  if (!value.IsObject() || value.IsArray() || value.IsTypedArray() || value.IsFunction())
    magic::fail(label_, "an object", value);
  object_ = value.As<Napi::Object>();
}

Napi::Value Fields::get(const char* name) const { return object_.Get(name); }

bool Fields::has(const char* name) const {
  const auto value = get(name);
  return !value.IsUndefined() && !value.IsNull();
}

void Fields::fail(const char* name, const std::string& expected, Napi::Value got) const {
  magic::fail(label_ + "." + name, expected, got);
}

double Fields::number(const char* name) const {
  const auto value = get(name);
  if (!value.IsNumber() || !std::isfinite(value.As<Napi::Number>().DoubleValue())) fail(name, "a finite number", value);
  return value.As<Napi::Number>().DoubleValue();
}

int64_t Fields::integer(const char* name) const { return magic::integer(get(name), label_ + "." + name); }

bool Fields::boolean(const char* name) const {
  const auto value = get(name);
  if (!value.IsBoolean()) fail(name, "true or false", value);
  return value.As<Napi::Boolean>().Value();
}

std::string Fields::string(const char* name) const { return magic::string(get(name), label_ + "." + name); }

std::vector<int64_t> Fields::integers(const char* name) const {
  std::vector<int64_t> result;
  for (const auto& element : elements(get(name), label_ + "." + name))
    result.push_back(magic::integer(element, label_ + "." + name + "[" + std::to_string(result.size()) + "]"));
  return result;
}

std::vector<int32_t> Fields::int32s(const char* name) const { return magic::int32s(get(name), label_ + "." + name); }

std::vector<float> Fields::float32s(const char* name) const {
  return copy_typed<float>(get(name), napi_float32_array, label_ + "." + name);
}

std::vector<float> Fields::optional_float32s(const char* name) const {
  if (!has(name)) return {};
  auto values = float32s(name);
  if (values.empty()) fail(name, "absent or have one value a response token", get(name));
  return values;
}

std::vector<double> Fields::float64s(const char* name) const {
  return copy_typed<double>(get(name), napi_float64_array, label_ + "." + name);
}

std::vector<uint64_t> Fields::uint64s(const char* name) const {
  return copy_typed<uint64_t>(get(name), napi_biguint64_array, label_ + "." + name);
}

std::vector<Napi::Value> elements(Napi::Value value, const std::string& label) {
  if (!value.IsArray()) fail(label, "an array", value);
  const auto array = value.As<Napi::Array>();
  std::vector<Napi::Value> result;
  for (uint32_t i = 0; i < array.Length(); ++i) result.push_back(array.Get(i));
  return result;
}

std::vector<int32_t> int32s(Napi::Value value, const std::string& label) {
  return copy_typed<int32_t>(value, napi_int32_array, label);
}

std::string string(Napi::Value value, const std::string& label) {
  if (!value.IsString()) fail(label, "a string", value);
  return value.As<Napi::String>().Utf8Value();
}

std::vector<std::string> strings(Napi::Value value, const std::string& label) {
  std::vector<std::string> result;
  for (const auto& element : elements(value, label))
    result.push_back(string(element, label + "[" + std::to_string(result.size()) + "]"));
  return result;
}

uint64_t uint64(Napi::Value value, const std::string& label) {
  bool lossless = false;
  if (!value.IsBigInt()) fail(label, "a bigint from 0 to 2^64 - 1", value);
  const uint64_t result = value.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) fail(label, "a bigint from 0 to 2^64 - 1", value);
  return result;
}

Napi::Value to_js(Napi::Env env, const float* values, size_t count) {
  return copy_out<Napi::Float32Array>(env, values, count);
}
Napi::Value to_js(Napi::Env env, const std::vector<float>& values) { return to_js(env, values.data(), values.size()); }
Napi::Value to_js(Napi::Env env, const std::vector<int32_t>& values) {
  return copy_out<Napi::Int32Array>(env, values.data(), values.size());
}
Napi::Value to_js(Napi::Env env, const std::vector<double>& values) {
  return copy_out<Napi::Float64Array>(env, values.data(), values.size());
}

}  // namespace magic
