// The kernels for AVX2. CMakeLists.txt gives this file its flags.

#include "cpu/variant.inl"
