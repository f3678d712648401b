#pragma once

#include <cstdint>

namespace magic {

// Rows [begin, end) of the token axis, after a prefix of rows [prefix_begin, prefix_end): a whole segment before it, or
// rows of no segment between that and it. Empty: none.
struct Segment {
  int64_t begin, end;
  int64_t prefix_begin, prefix_end;
};

}  // namespace magic
