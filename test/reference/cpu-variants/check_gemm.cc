// The GEMMs of few rows, along the vectors and across their lanes, and what products by block kernels are packed by.

#include <algorithm>
#include <cmath>

#include "check.h"

namespace magic {

namespace {

// x [rows, in] and W [out, in], in which one value is `special` where that isn't 0, with their product.
template <class T>
struct Product {
  Product(const char* kernel, int64_t rows, int64_t in, int64_t out, float special)
      : x(normal<float>(rows * in)), weight(normal<T>(out * in)), y(room<float>(rows * out)), expected(rows * out) {
    if (special != 0) weight[out / 2 * in + in / 2] = static_cast<T>(special);
    for (int64_t r = 0; r < rows; r++) {
      for (int64_t o = 0; o < out; o++) {
        for (int64_t i = 0; i < in; i++) expected[r * out + o].add(double{x[r * in + i]} * weight[o * in + i], in);
      }
    }
    name = std::string(kernel) + " " + name_of<T>() + " " + std::to_string(rows) + "x" + std::to_string(in) + "x" +
           std::to_string(out) + (special == 0 ? "" : " with " + std::to_string(special));
  }

  std::vector<float> x;
  std::vector<T> weight;
  decltype(room<float>(1)) y;
  std::vector<Expected> expected;
  std::string name;
};

template <class T>
void check_panel(const Kernels& kernels, int64_t rows, int64_t in, int64_t out, float special) {
  Product<T> product("gemm", rows, in, out, special);
  // As few_row_gemm.cc lays it out.
  const int64_t slices = (in + kGemmInner - 1) / kGemmInner, slice = ((in + slices - 1) / slices + 15) / 16 * 16;
  GemmRows work{product.x.data(), in, slice, rows, in, slice, product.weight.data(), out, product.y.data(), nullptr};
  std::vector<float> sliced;
  if (slices > 1) {
    work.x_stride = slice + 16;
    work.x_slice = rows * work.x_stride;
    sliced.resize(slices * work.x_slice);
    for (int64_t r = 0; r < rows; r++) {
      for (int64_t i = 0; i < in; i++) {
        sliced[i / slice * work.x_slice + r * work.x_stride + i % slice] = product.x[r * in + i];
      }
    }
    work.x = sliced.data();
  }
  std::vector<float> panel((rows + 1) * kGemmPanelRoom);
  work.panel = panel.data();
  for (int64_t begin = 0; begin < out; begin += kGemmPanel) {
    const int64_t end = std::min(out, begin + kGemmPanel);
    kernels.rows<T>().gemm_panel(work, begin, end, end);
  }
  check(product.name, product.expected, product.y);
}

// W's rows are taken in panels of so many.
void check_lanes(const Kernels& kernels, int64_t rows, int64_t in, int64_t out, int64_t panel, float special) {
  Product<float> product("gemm across lanes", rows, in, out, special);
  // As lane_gemm.cc lays it out.
  std::vector<float> packed((rows + kLaneColumns - 1) / kLaneColumns * kLaneColumns * in);
  for (int64_t row = 0; row < rows; row += kLaneColumns) {
    kernels.pack.lanes(product.x.data() + row * in, std::min(kLaneColumns, rows - row), in, packed.data() + row * in);
  }
  const LaneRows work{packed.data(), rows, in, product.weight.data(), out, product.y.data()};
  for (int64_t begin = 0; begin < out; begin += panel) {
    const int64_t end = std::min(out, begin + panel);
    kernels.lane_gemm_panel(work, begin, end, end);
  }
  check(product.name, product.expected, product.y);
}

void check_all_lanes(const Kernels& kernels) {
  for (const int64_t rows : {1, 7, 8, 9, 15, 16, 17, 25, 31, 32, 33, 48, 49, 65, 96}) {
    check_lanes(kernels, rows, 192, 51, kLanePanel, 0);
  }
  for (const int64_t in : {1, 7, 8, 9, 640, 641, 1537}) check_lanes(kernels, 20, in, 23, 12, 0);
  for (const int64_t out : {1, 2, 5, 6, 7, 11, 12, 13, 18, 47, 48, 49})
    check_lanes(kernels, 20, 30, out, kLanePanel, 0);
  for (const float special : {kNan, kInfinity, -kInfinity, 1e30f, 1e-39f}) {
    check_lanes(kernels, 20, 45, 7, kLanePanel, special);
  }
}

template <class T>
void check_type(const Kernels& kernels) {
  for (const int64_t rows : {1, 2, 3, 4, 5, 8, 11, 13}) check_panel<T>(kernels, rows, 192, 51, 0);
  for (const int64_t in : {1, 7, 8, 16, 17, 31, 33, 63, 97, 640, 641, 1300, 1537}) {
    for (const int64_t rows : {1, 6}) check_panel<T>(kernels, rows, in, 13, 0);
  }
  for (const float special : {kNan, kInfinity, -kInfinity, 1e30f, 1e-39f}) check_panel<T>(kernels, 5, 45, 7, special);
}

template <class T>
std::vector<Expected> exactly(const std::vector<T>& values, int64_t count) {
  std::vector<Expected> all(count);
  for (int64_t i = 0; i < count; i++) all[i].value = static_cast<double>(static_cast<float>(values[i]));
  return all;
}

// What moves values and computes nothing: packing, and putting a block of results back.
void check_packing(const Kernels& kernels, int64_t rows, int64_t columns) {
  const std::string size = " " + std::to_string(rows) + "x" + std::to_string(columns);
  const int64_t stride = columns + 6, even = (rows + 1) / 2 * 2;
  const auto from = normal<c10::BFloat16>(rows * stride);
  std::vector<c10::BFloat16> across(columns * rows), along(even * columns);
  for (int64_t r = 0; r < even; r++) {
    for (int64_t c = 0; c < columns; c++) {
      const c10::BFloat16 value = r < rows ? from[r * stride + c] : c10::BFloat16(0.0f);
      if (r < rows) across[c * rows + r] = value;
      along[r / 2 * 2 * columns + 2 * c + r % 2] = value;
    }
  }
  auto out = room<c10::BFloat16>(columns * rows);
  kernels.pack.transpose(from.data(), stride, rows, columns, out.data(), rows);
  check("transpose" + size, exactly(across, columns * rows), out);
  out = room<c10::BFloat16>(even * columns);
  kernels.pack.along(from.data(), stride, rows, columns, out.data());
  check("pairs along" + size, exactly(along, even * columns), out);
  if (columns % 2 == 0) {
    std::vector<c10::BFloat16> pairs(columns * rows);
    for (int64_t r = 0; r < rows; r++) {
      for (int64_t c = 0; c < columns; c++) pairs[c / 2 * 2 * rows + 2 * r + c % 2] = from[r * stride + c];
    }
    out = room<c10::BFloat16>(columns * rows);
    kernels.pack.across(reinterpret_cast<const float*>(from.data()), stride / 2, rows, columns / 2,
                        reinterpret_cast<float*>(out.data()), rows);
    check("pairs across" + size, exactly(pairs, columns * rows), out);
  }
  if (rows > kProductRows || columns > kProductPanel) return;
  const auto block = normal<float>(rows * stride);
  std::vector<float> stored(columns * rows);
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t c = 0; c < columns; c++) stored[c * rows + r] = block[r * stride + c];
  }
  auto y = room<float>(columns * rows);
  kernels.float32.store_across(block.data(), stride, rows, columns, y.data(), rows);
  check("stored across" + size, exactly(stored, columns * rows), y);
  out = room<c10::BFloat16>(columns * rows);
  kernels.bfloat16.store_across(block.data(), stride, rows, columns, out.data(), rows);
  std::vector<c10::BFloat16> rounded(stored.begin(), stored.end());
  check("stored across and rounded" + size, exactly(rounded, columns * rows), out);
}

}  // namespace

void check_gemm(const Kernels& kernels) {
  check_type<float>(kernels);
  check_type<c10::BFloat16>(kernels);
  check_all_lanes(kernels);
  for (const int64_t rows : {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 100, 128}) {
    for (const int64_t columns : {1, 2, 15, 16, 30, 33, 48, 64, 98}) check_packing(kernels, rows, columns);
  }
}

}  // namespace magic
