#pragma once
// What the control groups of this process leave of memory (Linux; cgroups(7)).

#include <cstdint>
#include <filesystem>
#include <optional>

namespace magic {

// Bytes below the limit of this process's control group, or of one above it where that leaves less; files that are
// cached and can go count as free. Nothing where no group has a limit. `root` is the folder that /proc and /sys are in.
std::optional<int64_t> control_group_free_bytes(const std::filesystem::path& root = "/");

}  // namespace magic
