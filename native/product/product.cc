#include "product/product.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "product/block_gemm.h"
#include "product/few_row_gemm.h"
#include "product/lane_gemm.h"
#include "product/onednn_linear.h"

namespace magic {

namespace {

// Whether bfloat16 is multiplied by instructions for it. libtorch's own products on x86 come from oneDNN, as the block
// kernels do, and where it has no instructions are several times slower than float32.
bool cpu_multiplies_bfloat16() {
#if defined(__x86_64__)
  return has_block_gemm();
#else
  return true;
#endif
}

// x weight^T by the kernels for few rows of x, in float32, where they are faster than the library, which copies the
// weight, in bfloat16 as float32; else undefined. Measured on two Zen 3 and two Sapphire Rapids cores.
at::Tensor few_row_product(const at::Tensor& x, const at::Tensor& weight) {
  const int64_t rows = x.size(0);
  if (!x.is_cpu() || x.scalar_type() != weight.scalar_type() || !weight.is_contiguous()) return {};
  if (x.scalar_type() == at::kFloat) {
    if (suits_lane_gemm(rows)) return lane_gemm(x.contiguous(), weight);
    if (rows <= 96) return few_row_gemm(x, weight);
  } else if (x.scalar_type() == at::kBFloat16 && rows <= (cpu_multiplies_bfloat16() ? 8 : 256)) {
    return few_row_gemm(x, weight);
  }
  return {};
}

template <typename Body>
void for_row_blocks(int64_t rows, const Body& body) {
  for (int64_t row = 0; row < rows; row += kCopiedRows) body(row, std::min(kCopiedRows, rows - row));
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
  if (const at::Tensor y = block_gemm(a, b.t(), at::kFloat); y.defined()) return y;
  if (const at::Tensor y = few_row_product(a, b.t()); y.defined()) return y;
  const at::Tensor left = gemm_operand(a), right = gemm_operand(b);
  // For hundreds of rows and a vocabulary a quarter faster than at::mm on two Zen 3 cores; on two Sapphire Rapids cores
  // a twentieth slower, but without the 30 MiB that MKL packs.
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

at::Tensor affine_product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::ScalarType type = x.scalar_type();
  at::Tensor y;
  // With more rows the library is faster than the block kernels, on two Sapphire Rapids cores.
  if (x.size(0) <= 512) y = block_gemm(x, weight, bias.defined() ? at::kFloat : type);
  if (!y.defined()) y = few_row_product(x, weight);
  if (y.defined()) return (bias.defined() ? y.add_(bias) : y).to(type);  // rounded once, as by the library
  if (!bias.defined()) return product(x, weight.t());
  return multiplies_in_float32(x.device(), type) ? widened_product(x, weight.t(), bias)
                                                 : at::addmm(bias, x, weight.t());
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

}  // namespace magic
