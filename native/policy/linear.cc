#include "policy/linear.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "cpu/kernels.h"
#include "policy/block_gemm.h"
#include "policy/few_row_gemm.h"
#include "policy/onednn_linear.h"

namespace magic {

namespace {

// Whether bfloat16 is multiplied by instructions for it. libtorch's own products on x86 come from oneDNN, as the block
// kernels do, and where it has no instructions are several times slower than float32.
bool cpu_multiplies_bfloat16() {
#if defined(__x86_64__)
  return has_block_gemm(at::kBFloat16);
#else
  return true;
#endif
}

// Up to how many rows of x our own GEMM is faster than the library's, which copies the weight; in bfloat16 it widens a
// float32 copy of it each time. Measured on two Zen 3 cores.
bool few_rows(const at::Tensor& x, const at::Tensor& weight) {
  if (!x.is_cpu() || x.scalar_type() != weight.scalar_type() || !weight.is_contiguous()) return false;
  if (x.scalar_type() == at::kBFloat16) return x.size(0) <= (cpu_multiplies_bfloat16() ? 8 : 256);
  return x.scalar_type() == at::kFloat && x.size(0) <= 96;
}

// For how many rows of x block_gemm is faster than both, on two Sapphire Rapids cores: of bfloat16 from one on; of
// float32 where filling them up to whole vectors adds no more than a quarter.
bool some_rows(const at::Tensor& x) {
  const int64_t rows = x.size(0), filled = (rows + 15) / 16 * 16;
  return x.scalar_type() == at::kFloat ? 4 * filled <= 5 * rows && rows <= 96 : rows <= 512;
}

template <typename Body>
void for_row_blocks(int64_t rows, const Body& body) {
  for (int64_t row = 0; row < rows; row += kWidenedRows) body(row, std::min(kWidenedRows, rows - row));
}

// a b + bias, multiplied in float32, in the type of a; the bias may be undefined.
at::Tensor widened_product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  const at::Tensor right = b.to(at::kFloat);
  const at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  for_row_blocks(a.size(0), [&](int64_t row, int64_t rows) {
    const at::Tensor left = a.narrow(0, row, rows).to(at::kFloat);
    out.narrow(0, row, rows).copy_(bias.defined() ? at::addmm(bias.to(at::kFloat), left, right) : at::mm(left, right));
  });
  return out;
}

// sum += d_y^T x of bfloat16, multiplied and added in float32.
void add_widened(at::Tensor& sum, const at::Tensor& d_y, const at::Tensor& x) {
  for_row_blocks(d_y.size(0), [&](int64_t row, int64_t rows) {
    sum.addmm_(d_y.narrow(0, row, rows).to(at::kFloat).t(), x.narrow(0, row, rows).to(at::kFloat));
  });
}

}  // namespace

bool multiplies_in_float32(at::Device device, at::ScalarType dtype) {
  return device.is_cpu() && dtype == at::kBFloat16 && !cpu_multiplies_bfloat16();
}

at::Tensor gemm_operand(const at::Tensor& t) {
  return multiplies_in_float32(t.device(), t.scalar_type()) ? t.to(at::kFloat) : t;
}

at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  if (a.dim() == 2 && multiplies_in_float32(a.device(), a.scalar_type())) return widened_product(a, b, {});
  return at::matmul(gemm_operand(a), gemm_operand(b)).to(a.scalar_type());
}

at::Tensor float_product(const at::Tensor& a, const at::Tensor& b) {
  if (a.is_cuda() && a.scalar_type() != at::kFloat) return at::mm(a, b, at::kFloat);
  if (some_rows(a) || a.scalar_type() == at::kBFloat16) {
    const at::Tensor y = block_gemm(a, b.t(), at::kFloat);
    if (y.defined()) return y;
  }
  if (few_rows(a, b.t())) return few_row_gemm(a, b.t());
  const at::Tensor left = gemm_operand(a), right = gemm_operand(b);
  // A quarter faster than at::mm for hundreds of rows and a vocabulary, on two Zen 3 cores.
  const at::Tensor y = onednn_linear(left, right.t());
  return y.defined() ? y : at::mm(left, right).to(at::kFloat);
}

void float_product_into(at::Tensor out, const at::Tensor& a, const at::Tensor& b) {
  if (a.is_cuda() && a.scalar_type() != at::kFloat) {
    at::mm_out(out, a, b, at::kFloat);
  } else {
    at::mm_out(out, a.to(at::kFloat), b.to(at::kFloat));
  }
}

void add_product(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, double scale) {
  if (!multiplies_in_float32(a.device(), a.scalar_type())) {
    sum.addmm_(a, b, 1.0, scale);
    return;
  }
  const at::Tensor right = b.to(at::kFloat);
  for_row_blocks(a.size(0), [&](int64_t row, int64_t rows) {
    sum.narrow(0, row, rows).add_(at::mm(a.narrow(0, row, rows).to(at::kFloat), right), scale);
  });
}

at::Tensor linear(const at::Tensor& x, const Linear& layer) {
  const at::Tensor &weight = layer.weight.value, &bias = layer.bias.value;
  at::Tensor y;
  if (some_rows(x)) y = block_gemm(x, weight, bias.defined() ? at::kFloat : x.scalar_type());
  if (y.defined()) {
    if (bias.defined()) y = y.add_(bias).to(x.scalar_type());  // rounded once, as by the library
  } else if (few_rows(x, weight)) {
    y = few_row_gemm(x, weight);
    if (bias.defined()) y.add_(bias);
    y = y.to(x.scalar_type());
  } else if (bias.defined()) {
    y = multiplies_in_float32(x.device(), x.scalar_type()) ? widened_product(x, weight.t(), bias)
                                                           : at::addmm(bias, x, weight.t());
  } else {
    y = product(x, weight.t());
  }
  if (layer.adapter.defined()) adapter_forward(layer.adapter, x, y);
  return y;
}

void linear_into(at::Tensor y, const at::Tensor& x, const Linear& layer, at::Tensor low) {
  const at::Tensor &weight = layer.weight.value, &bias = layer.bias.value;
  if (bias.defined()) {
    y.copy_(bias.expand_as(y));
    y.addmm_(x, weight.t());
  } else {
    at::mm_out(y, x, weight.t());
  }
  if (!layer.adapter.defined()) return;
  at::mm_out(low, x, layer.adapter.a.value.t());
  add_adapter(layer.adapter, low, y);
}

void accumulate_product(at::Tensor& gradient, const at::Tensor& d_y, const at::Tensor& x) {
  const bool widens = multiplies_in_float32(d_y.device(), d_y.scalar_type());
  const bool same = gradient.scalar_type() == d_y.scalar_type();
  // On a GPU libtorch lets parts of a bfloat16 product be added in bfloat16.
  if (same && !widens && (d_y.is_cpu() || d_y.scalar_type() == at::kFloat)) {
    gradient.addmm_(d_y.t(), gemm_operand(x));
    return;
  }
  if (gradient.scalar_type() == at::kFloat && widens) {
    add_widened(gradient, d_y, x);
    return;
  }
  if (gradient.scalar_type() == at::kFloat && adds_block_gemm(d_y, x)) {
    add_block_gemm(gradient, d_y, x);
    return;
  }
  const auto row_bytes = gradient.size(1) * static_cast<int64_t>(sizeof(float));
  const int64_t block = std::max<int64_t>(1, kProductBlockBytes / row_bytes);
  for (int64_t row = 0; row < gradient.size(0); row += block) {
    const int64_t rows = std::min(block, gradient.size(0) - row);
    const at::Tensor d_columns = d_y.narrow(1, row, rows);
    at::Tensor part;  // in float32
    if (widens) {
      part = at::zeros({rows, gradient.size(1)}, gradient.options().dtype(at::kFloat));
      add_widened(part, d_columns, x);
    } else {
      part = float_product(d_columns.t(), x);
    }
    gradient.narrow(0, row, rows).add_(part);
  }
}

at::Tensor linear_backward(const at::Tensor& x, Linear& layer, const at::Tensor& d_y) {
  if (layer.weight.gradient.defined()) accumulate_product(layer.weight.gradient, d_y, x);
  if (layer.bias.gradient.defined()) layer.bias.gradient.add_(d_y.sum(0, false, at::kFloat));
  at::Tensor d_x = product(d_y, layer.weight.value);
  if (layer.adapter.defined()) adapter_backward(layer.adapter, x, d_y, d_x);
  return d_x;
}

}  // namespace magic
