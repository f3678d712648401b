#include "policy/adapter.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/mm.h>

#include "policy/master.h"
#include "product/product.h"

namespace magic {

namespace {

// x A^T [T, targets r] or its gradient: the columns of one target.
at::Tensor columns_of(const Adapter& adapter, const at::Tensor& low, size_t target) {
  return low.narrow(1, static_cast<int64_t>(target) * adapter.rank, adapter.rank);
}

}  // namespace

std::vector<NamedSlice> Adapter::slices() {
  std::vector<NamedSlice> all;
  int64_t b_row = 0;
  for (size_t i = 0; i < targets.size(); i++) {
    const std::string module = "base_model.model." + targets[i].module;
    all.push_back({module + ".lora_A.weight", &a, static_cast<int64_t>(i) * rank, {rank, a.value.size(1)}});
    all.push_back({module + ".lora_B.weight", &b, b_row, {targets[i].rows, rank}});
    b_row += targets[i].rows;
  }
  return all;
}

at::Tensor Adapter::delta(size_t target) const {
  int64_t b_row = 0;
  for (size_t i = 0; i < target; i++) b_row += targets[i].rows;
  const at::Tensor a_master = join_master(a.value, a.low_half), b_master = join_master(b.value, b.low_half);
  return at::mm(b_master.narrow(0, b_row, targets[target].rows),
                a_master.narrow(0, static_cast<int64_t>(target) * rank, rank))
      .mul_(scale);
}

void adapter_forward(const Adapter& adapter, const at::Tensor& x, at::Tensor& y) {
  add_adapter(adapter, product(x, adapter.a.value.t()), y);
}

void add_adapter(const Adapter& adapter, const at::Tensor& low, const at::Tensor& y) {
  int64_t b_row = 0;
  for (size_t i = 0; i < adapter.targets.size(); i++) {
    const AdapterTarget& target = adapter.targets[i];
    const at::Tensor b = adapter.b.value.narrow(0, b_row, target.rows);
    at::Tensor columns = y.narrow(1, target.row, target.rows);
    add_product(columns, columns_of(adapter, low, i), b.t(), adapter.scale);
    b_row += target.rows;
  }
}

void adapter_backward(Adapter& adapter, const at::Tensor& x, const at::Tensor& d_y, at::Tensor& d_x) {
  const at::Tensor low = product(x, adapter.a.value.t()).mul_(adapter.scale);
  std::vector<at::Tensor> d_lows;
  int64_t b_row = 0;
  for (size_t i = 0; i < adapter.targets.size(); i++) {
    const AdapterTarget& target = adapter.targets[i];
    const at::Tensor d_rows = d_y.narrow(1, target.row, target.rows);
    at::Tensor d_b = adapter.b.gradient.narrow(0, b_row, target.rows);
    accumulate_product(d_b, d_rows, columns_of(adapter, low, i));
    d_lows.push_back(product(d_rows, adapter.b.value.narrow(0, b_row, target.rows)));
    b_row += target.rows;
  }
  const at::Tensor d_low = at::cat(d_lows, 1).mul_(adapter.scale);
  accumulate_product(adapter.a.gradient, d_low, x);
  add_product(d_x, d_low, adapter.a.value, 1.0);
}

}  // namespace magic
