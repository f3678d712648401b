// Keys and values of new tokens into their slots, the twin of KvCache::write: a block of threads takes a token.

#include "cuda/element.cuh"
#include "cuda/functions.h"
#include "cuda/launch.cuh"

namespace magic {

namespace {

constexpr unsigned kThreads = 128;

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads) store_keys_kernel(const StoreKeys args) {
  using Values = Pack<T, kWidth>;
  const int64_t token = blockIdx.x, packs = args.width / kWidth, from = token * args.stride / kWidth;
  const int64_t to = args.slots[token] * packs;
  if (to < 0) return;
  const Values *keys = static_cast<const Values *>(args.keys) + from,
               *values = static_cast<const Values *>(args.values) + from;
  Values *key_slot = static_cast<Values *>(args.key_pool) + to,
         *value_slot = static_cast<Values *>(args.value_pool) + to;
  for (int64_t i = threadIdx.x; i < packs; i += kThreads) {
    key_slot[i] = keys[i];
    value_slot[i] = values[i];
  }
}

}  // namespace

int store_keys_on_device(Launch where, Element element, const StoreKeys &args) {
  return with_element(element, [&](auto type) {
    using T = decltype(type);
    const bool packed = aligned(kPack<T>, args.keys, sizeof(T), args.width, args.stride) &&
                        aligned(kPack<T>, args.values, sizeof(T)) && aligned(kPack<T>, args.key_pool, sizeof(T)) &&
                        aligned(kPack<T>, args.value_pool, sizeof(T));
    return launch(where, packed ? store_keys_kernel<T, kPack<T>> : store_keys_kernel<T, 1>,
                  dim3(static_cast<unsigned>(args.tokens)), kThreads, args);
  });
}

}  // namespace magic
