// The kernels for AVX-512. CMakeLists.txt gives this file its flags.

#include "cpu/variant.inl"
