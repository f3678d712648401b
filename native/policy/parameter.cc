#include "policy/parameter.h"

#include "policy/master.h"

namespace magic {

at::Tensor NamedSlice::master() const {
  const at::Tensor& low_half = parameter->low_half;
  return join_master(of(parameter->value), low_half.defined() ? of(low_half) : low_half);
}

at::Tensor NamedSlice::master(int64_t begin, int64_t end) const {
  const at::Tensor& low_half = parameter->low_half;
  return join_master(elements(of(parameter->value), begin, end),
                     low_half.defined() ? elements(of(low_half), begin, end) : low_half);
}

void NamedSlice::set_master(const at::Tensor& master) const {
  const at::Tensor& low_half = parameter->low_half;
  split_master(master.to(parameter->value.device()), of(parameter->value),
               low_half.defined() ? of(low_half) : low_half);
}

}  // namespace magic
