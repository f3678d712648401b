// The kernels for every processor of the architecture: NEON on ARM, plain loops on x86-64.

#include "cpu/variant.inl"
