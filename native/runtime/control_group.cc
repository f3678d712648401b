#include "runtime/control_group.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace magic {

namespace {

using std::filesystem::path;

// The files of either version; in the first, what the groups below hold has names of its own in memory.stat.
struct Version {
  const char *limit, *used, *active_files, *inactive_files;
};
constexpr Version kFirst{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_active_file", "total_inactive_file"};
constexpr Version kSecond{"memory.max", "memory.current", "active_file", "inactive_file"};

// Where a hierarchy of groups is seen: the group `seen` of it, and those below, from the folder `mount` on.
struct Hierarchy {
  const Version* version;
  path seen, mount;
};

bool lists(const std::string& names, const std::string& name) {
  return ("," + names + ",").find("," + name + ",") != std::string::npos;
}

// Of memory, as the lines of /proc/self/mountinfo say: "31 23 0:28 SEEN MOUNT rw - TYPE source OPTIONS" (proc(5)).
std::vector<Hierarchy> hierarchies(const path& root) {
  std::vector<Hierarchy> found;
  std::ifstream mounts(root / "proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string word, seen, mount, type, options;
    fields >> word >> word >> word >> seen >> mount;
    while (fields >> word && word != "-") continue;
    fields >> type >> word >> options;
    if (type == "cgroup2") found.push_back({&kSecond, seen, mount});
    if (type == "cgroup" && lists(options, "memory")) found.push_back({&kFirst, seen, mount});
  }
  return found;
}

// The group of this process: lines "0::GROUP" in the second version, "4:memory:GROUP" in the first.
std::optional<path> group_of(const path& root, const Version& version) {
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (&version == &kSecond ? controllers.empty() : lists(controllers, "memory")) return line.substr(second + 1);
  }
  return std::nullopt;
}

// The first version has a number of this order for no limit, the second a word.
constexpr int64_t kNoLimit = int64_t{1} << 62;

// Nothing where there is no limit, or no such folder.
std::optional<int64_t> left_in(const path& folder, const Version& version) {
  std::ifstream limits(folder / version.limit), uses(folder / version.used), parts(folder / "memory.stat");
  int64_t limit = 0, used = 0, bytes = 0;
  if (!(limits >> limit && uses >> used) || limit >= kNoLimit) return std::nullopt;
  for (std::string name; parts >> name >> bytes;) {
    if (name == version.active_files || name == version.inactive_files) used -= bytes;
  }
  return std::max<int64_t>(0, limit - used);
}

}  // namespace

std::optional<int64_t> control_group_free_bytes(const path& root) {
  std::optional<int64_t> least;
  for (const Hierarchy& hierarchy : hierarchies(root)) {
    const std::optional<path> group = group_of(root, *hierarchy.version);
    if (!group) continue;
    const auto count = [&](const path& folder) {
      const std::optional<int64_t> left = left_in(folder, *hierarchy.version);
      if (left) least = std::min(*left, least.value_or(*left));
    };
    path folder = root / hierarchy.mount.relative_path();
    count(folder);
    // Down to the own group, unless a container is not shown where that lies.
    const path below = group->lexically_relative(hierarchy.seen);
    if (below.empty() || *below.begin() == "..") continue;
    for (const path& part : below) count(folder /= part);
  }
  return least;
}

}  // namespace magic
