// Runs the kernels of the library on the CPU: all of them, or those of the named parts.

#include "check.h"

#include <algorithm>

int main(int count, char** names) {
  const std::pair<const char*, void (*)()> parts[] = {{"policy", magic::check_policy},
                                                      {"loss", magic::check_loss},
                                                      {"sampler", magic::check_sampler},
                                                      {"cache", magic::check_cache}};
  for (const auto& [name, check] : parts) {
    const bool named =
        std::any_of(names + 1, names + count, [&](const char* given) { return given == std::string(name); });
    if (count == 1 || named) check();
  }
  return magic::failures == 0 ? 0 : 1;
}
