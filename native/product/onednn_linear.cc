#include "product/onednn_linear.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <exception>
#include <optional>
#include <string>

#include "runtime/memory.h"

namespace magic {

at::Tensor onednn_linear(const at::Tensor& x, const at::Tensor& weight) {
  const auto fits = [](const at::Tensor& t) {
    return t.is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous() && t.numel() > 0;
  };
  static const std::optional<c10::OperatorHandle> found =
      c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
  if (!found || !fits(x) || !fits(weight)) return {};
  // By its schema, as the C++ types of its arguments differ between versions of libtorch.
  torch::jit::Stack stack{x, weight, {}, std::string("none"), c10::List<std::optional<at::Scalar>>(), std::string()};
  try {
    found->callBoxed(&stack);
  } catch (const std::exception& error) {
    // A thread that once had no memory for the code of a kernel gets none compiled ever after: oneDNN keeps the error.
    if (!is_out_of_memory(error)) throw;
    return {};
  }
  return torch::jit::pop(stack).toTensor();
}

}  // namespace magic
