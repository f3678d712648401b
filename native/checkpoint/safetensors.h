#pragma once
// safetensors files: tensors out of a memory map, and an atomic write. The header is parsed and checked in TypeScript
// (src/checkpoint/safetensors.ts); bounds are checked again here against the file.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/read_gate.h"

namespace magic {

struct TensorSource {
  std::string name;
  std::string dtype;  // F32, F16, BF16, F64
  std::vector<int64_t> shape;
  std::string path;
  int64_t begin = 0, end = 0;
};

// Maps each file once. Tensors are views of the map, which lives as long as one of them; the pages that a tensor has
// read leave the process's memory with it.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(std::vector<TensorSource> sources);
  ~SafetensorsReader();
  // A CPU view in the file's own type. Throws FILE when the name is missing, or the shape is not the expected one,
  // naming both shapes and the file.
  at::Tensor get(const std::string& name, at::IntArrayRef expected_shape) const;

 private:
  struct Map;
  std::map<std::string, TensorSource> sources_;
  std::map<std::string, std::shared_ptr<Map>> maps_;  // by path
};

// A tensor to write. `values` is asked for its elements [begin, end), contiguous and on the CPU, for each piece that is
// written, so that it may move in between.
struct TensorToWrite {
  std::string name;
  at::ScalarType type;
  std::vector<int64_t> shape;
  std::function<at::Tensor(int64_t begin, int64_t end)> values;

  int64_t byte_count() const;
};

// Writes `path` by a temporary file beside it, fsync and rename. Metadata is {"format": "pt"}. A piece of
// `piece_bytes` at most is read within the gate.
void write_safetensors(const std::string& path, std::vector<TensorToWrite> tensors, ReadGate& gate,
                       int64_t piece_bytes);

}  // namespace magic
