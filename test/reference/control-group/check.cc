// Prints what the control groups of a process leave it, by the files below the folder that is named: bytes, or none.

#include <cstdio>

#include "runtime/control_group.h"

int main(int count, char** names) {
  if (count != 2) return 2;
  const auto left = magic::control_group_free_bytes(names[1]);
  left ? std::printf("%lld\n", static_cast<long long>(*left)) : std::printf("none\n");
  return 0;
}
