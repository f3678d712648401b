// Table of contents of the addon: one call a concept. The symbols are described in src/native/contract.ts.

#include "napi/register.h"
#include "runtime/memory.h"

namespace {

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  static const bool tuned = (magic::tune_allocator(), true);
  static_cast<void>(tuned);
  return magic::guarded(env, [&] {
    magic::prepare_promises(env);
    magic::register_runtime(env, exports);
    magic::register_profile(env, exports);
    magic::register_policy(env, exports);
    magic::register_snapshot(env, exports);
    magic::register_training(env, exports);
    magic::register_memory(env, exports);
    magic::register_generation(env, exports);
    magic::register_head(env, exports);
    magic::register_product(env, exports);
    return exports;
  });
}

}  // namespace

NODE_API_MODULE(magic_grpo, initialise)
