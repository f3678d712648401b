#pragma once
// What a device can do at best, measured: the scale that model FLOPs utilisation is of.

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

namespace magic {

// Floating point operations a second of large matrix products in this type, the best of a few within a fifth of a
// second; measured once a process. On the torch thread.
double peak_flops(c10::Device device, c10::ScalarType dtype);

}  // namespace magic
