#include "cuda/device_stream.h"

#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace magic {

namespace {

template <class Stream>
constexpr bool kTellsHandle = requires(const Stream& stream) {
  stream.native_handle();
};

template <class Stream>
void* handle_of(const Stream& stream) {
  if constexpr (kTellsHandle<Stream>) {
    return stream.native_handle();
  } else {
    return nullptr;
  }
}

}  // namespace

void leave_default_stream(c10::Device device) {
  if (device.is_cpu() || !kTellsHandle<c10::Stream>) return;
  const c10::impl::VirtualGuardImpl streams(device.type());
  if (streams.getStream(device) != streams.getDefaultStream(device)) return;
  streams.exchangeStream(streams.getStreamFromGlobalPool(device));
}

void* current_stream(c10::Device device) {
  return device.is_cpu() ? nullptr : handle_of(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
}

}  // namespace magic
