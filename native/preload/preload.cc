// An addon without libtorch: preload(path) opens one shared library for the whole process, so that the main addon,
// which has no RPATH, finds it already loaded. process.dlopen can't: it wants an addon.
#include <dlfcn.h>
#include <node_api.h>

#include <string>

namespace {

napi_value Preload(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  size_t length = 0;
  if (napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr) != napi_ok || count != 1 ||
      napi_get_value_string_utf8(env, argument, nullptr, 0, &length) != napi_ok) {
    napi_throw_type_error(env, nullptr, "preload(path) takes one string");
    return nullptr;
  }
  std::string path(length + 1, '\0');
  napi_get_value_string_utf8(env, argument, path.data(), path.size(), &length);
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    const char* reason = dlerror();
    napi_throw_error(env, "LIBTORCH_MISSING", reason != nullptr ? reason : "dlopen failed");
  }
  return nullptr;
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_value function = nullptr;
  if (napi_create_function(env, "preload", NAPI_AUTO_LENGTH, Preload, nullptr, &function) == napi_ok) {
    napi_set_named_property(env, exports, "preload", function);
  }
  return exports;
}
