#include "checkpoint/safetensors.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/util/accumulate.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "runtime/error.h"

namespace magic {

namespace {

[[noreturn]] void fail(const std::string& message) { throw Error("FILE", message); }

[[noreturn]] void fail_errno(const std::string& what, const std::string& path) {
  fail(what + " " + path + ": " + std::strerror(errno));
}

class File {
 public:
  File(const std::string& path, int flags, const char* what) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    if (fd_ < 0) fail_errno(what, path);
  }
  ~File() { close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

at::ScalarType scalar_type(const TensorSource& source) {
  if (source.dtype == "F32") return at::kFloat;
  if (source.dtype == "BF16") return at::kBFloat16;
  if (source.dtype == "F16") return at::kHalf;
  if (source.dtype == "F64") return at::kDouble;
  fail("tensor " + source.name + " in " + source.path + " has dtype " + source.dtype +
       "; supported: F32, BF16, F16, F64");
}

std::string dtype_name(const std::string& name, at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return "F32";
    case at::kBFloat16:
      return "BF16";
    case at::kHalf:
      return "F16";
    case at::kDouble:
      return "F64";
    default:
      throw Error("INTERNAL", "tensor " + name + " has a type that safetensors files are not written in");
  }
}

std::string to_string(at::IntArrayRef shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

// Bytes of the tensor; its extents are multiplied with a check, since they come from a file.
int64_t byte_count(const TensorSource& source) {
  auto bytes = static_cast<int64_t>(c10::elementSize(scalar_type(source)));
  for (const auto extent : source.shape)
    if (extent < 0 || __builtin_mul_overflow(bytes, extent, &bytes))
      fail("tensor " + source.name + " in " + source.path + " has an impossible shape " + to_string(source.shape));
  return bytes;
}

std::string quote(const std::string& text) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string result = "\"";
  for (const unsigned char c : text) {
    if (c == '"' || c == '\\')
      (result += '\\') += static_cast<char>(c);
    else if (c < 0x20)
      ((result += "\\u00") += digits[c >> 4]) += digits[c & 15];
    else
      result += static_cast<char>(c);
  }
  return result + '"';
}

void write_all(int fd, const void* data, size_t size, const std::string& path) {
  const auto* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const auto written = write(fd, bytes, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail_errno("cannot write", path);
    }
    bytes += written;
    size -= static_cast<size_t>(written);
  }
}

void sync(int fd, const std::string& path) {
  if (fsync(fd) != 0) fail_errno("cannot sync", path);
}

std::string header_of(const std::vector<TensorToWrite>& tensors) {
  std::string header = R"({"__metadata__":{"format":"pt"})";
  int64_t offset = 0;
  for (const auto& tensor : tensors) {
    const auto end = offset + tensor.byte_count();
    header += "," + quote(tensor.name) + R"(:{"dtype":")" + dtype_name(tensor.name, tensor.type) + R"(","shape":)" +
              to_string(tensor.shape) + R"(,"data_offsets":[)" + std::to_string(offset) + "," + std::to_string(end) +
              "]}";
    offset = end;
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');  // so that the data is aligned
  return header;
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

struct SafetensorsReader::Map {
  explicit Map(const std::string& path) {
    const File file(path, O_RDONLY, "cannot open");
    struct stat status {};
    if (fstat(file.fd(), &status) != 0) fail_errno("cannot read", path);
    if (!S_ISREG(status.st_mode)) fail("cannot read " + path + ": not a file");
    size = static_cast<int64_t>(status.st_size);
    if (size == 0) fail(path + " is empty");
    void* address = mmap(nullptr, static_cast<size_t>(size), PROT_READ, MAP_PRIVATE, file.fd(), 0);
    if (address == MAP_FAILED) fail_errno("cannot map", path);
    data = static_cast<const char*>(address);
  }
  ~Map() { munmap(const_cast<char*>(data), static_cast<size_t>(size)); }
  Map(const Map&) = delete;
  Map& operator=(const Map&) = delete;

  // The pages of these bytes leave the process's memory; they come back when they are read.
  static void drop_pages(const char* bytes, int64_t count) {
    static const int64_t page = sysconf(_SC_PAGESIZE);
    const auto address = reinterpret_cast<int64_t>(bytes);
    const int64_t begin = address / page * page;
    madvise(reinterpret_cast<void*>(begin), static_cast<size_t>(address + count - begin), MADV_DONTNEED);
  }

  const char* data = nullptr;
  int64_t size = 0;
};

SafetensorsReader::SafetensorsReader(std::vector<TensorSource> sources) {
  for (auto& source : sources) {
    auto& map = maps_[source.path];
    if (!map) map = std::make_shared<Map>(source.path);
    if (source.begin < 0 || source.end < source.begin || source.end > map->size)
      fail("tensor " + source.name + " lies at bytes " + std::to_string(source.begin) + " to " +
           std::to_string(source.end) + " of " + source.path + ", which has " + std::to_string(map->size));
    if (byte_count(source) != source.end - source.begin)
      fail("tensor " + source.name + " in " + source.path + ", " + source.dtype + " " + to_string(source.shape) +
           ", needs " + std::to_string(byte_count(source)) + " bytes but has " +
           std::to_string(source.end - source.begin));
    auto name = source.name;
    sources_.insert_or_assign(std::move(name), std::move(source));
  }
}

SafetensorsReader::~SafetensorsReader() = default;

at::Tensor SafetensorsReader::get(const std::string& name, at::IntArrayRef expected_shape) const {
  const auto found = sources_.find(name);
  if (found == sources_.end())
    fail("tensor " + name + " is missing" + (maps_.empty() ? "" : " from " + folder_of(maps_.begin()->first)));
  const auto& source = found->second;
  if (at::IntArrayRef(source.shape) != expected_shape)
    fail("tensor " + name + " in " + source.path + " has shape " + to_string(source.shape) + "; config.json asks for " +
         to_string(expected_shape));
  const auto type = scalar_type(source);
  const auto& map = maps_.at(source.path);
  const char* data = map->data + source.begin;
  const int64_t count = source.end - source.begin;
  // What has been read would otherwise stay beside what it was copied to, until all is loaded.
  if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(type) == 0) {
    return at::from_blob(
        const_cast<char*>(data), source.shape,
        [map, count](void* bytes) { Map::drop_pages(static_cast<const char*>(bytes), count); },
        at::TensorOptions().dtype(type));
  }
  auto copy = at::empty(source.shape, at::TensorOptions().dtype(type));
  std::memcpy(copy.mutable_data_ptr(), data, copy.nbytes());
  Map::drop_pages(data, count);
  return copy;
}

int64_t TensorToWrite::byte_count() const {
  return c10::multiply_integers(shape) * static_cast<int64_t>(c10::elementSize(type));
}

void write_safetensors(const std::string& path, std::vector<TensorToWrite> tensors, ReadGate& gate,
                       int64_t piece_bytes) {
  // Wider types first keeps every tensor aligned.
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const auto& a, const auto& b) { return c10::elementSize(a.type) > c10::elementSize(b.type); });
  const auto header = header_of(tensors);
  static std::atomic<uint64_t> counter{0};
  const auto temporary = path + ".tmp-" + std::to_string(getpid()) + "-" + std::to_string(++counter);
  try {
    const File file(temporary, O_WRONLY | O_CREAT | O_EXCL, "cannot create");
    const uint64_t header_size = header.size();  // little endian, as are the platforms libtorch is built for
    write_all(file.fd(), &header_size, sizeof header_size, temporary);
    write_all(file.fd(), header.data(), header.size(), temporary);
    for (const auto& tensor : tensors) {
      const auto size = static_cast<int64_t>(c10::elementSize(tensor.type)), count = tensor.byte_count() / size;
      const auto piece = piece_bytes / size;
      for (int64_t begin = 0; begin < count; begin += piece) {
        const auto reading = gate.read();
        const auto values = tensor.values(begin, begin + std::min(piece, count - begin));
        write_all(file.fd(), static_cast<const char*>(values.const_data_ptr()), values.nbytes(), temporary);
      }
    }
    sync(file.fd(), temporary);
    if (rename(temporary.c_str(), path.c_str()) != 0) fail_errno("cannot rename to", path);
    const File folder(folder_of(path), O_RDONLY | O_DIRECTORY, "cannot open");
    sync(folder.fd(), folder_of(path));
  } catch (...) {
    unlink(temporary.c_str());
    throw;
  }
}

}  // namespace magic
