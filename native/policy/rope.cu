// Rotary position embedding in place, the twin of rope.cc: a thread takes one pair.

#include <algorithm>

#include "cuda/element.cuh"
#include "cuda/functions.h"
#include "cuda/launch.cuh"

namespace magic {

namespace {

// A block takes one token; its pairs lie `half` apart.
template <class T>
__global__ void rotate_kernel(const Rotate args) {
  const int64_t token = blockIdx.x;
  T* row = static_cast<T*>(args.x) + token * args.stride;
  const int64_t pairs = args.heads * args.half;
  for (int64_t i = threadIdx.x; i < pairs; i += blockDim.x) {
    const int64_t dim = i % args.half;
    T* first = row + i / args.half * 2 * args.half + dim;
    const float cosine = args.cosine[token * args.half + dim];
    const float sine = args.inverse ? -args.sine[token * args.half + dim] : args.sine[token * args.half + dim];
    const float a = to_float(first[0]), b = to_float(first[args.half]);
    first[0] = to_element<T>(a * cosine - b * sine);
    first[args.half] = to_element<T>(b * cosine + a * sine);
  }
}

}  // namespace

int rotate_on_device(Launch where, Element element, const Rotate& args) {
  const int64_t pairs = args.heads * args.half;
  const unsigned threads = static_cast<unsigned>(std::min<int64_t>(256, (pairs + 31) / 32 * 32));
  return with_element(element, [&](auto type) {
    return launch(where, rotate_kernel<decltype(type)>, dim3(static_cast<unsigned>(args.tokens)), threads, args);
  });
}

}  // namespace magic
