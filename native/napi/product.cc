// product: x W^T as every layer computes it, for tests and benchmarks.

#include "product/product.h"

#include <ATen/ops/from_blob.h>

#include <utility>

#include "napi/convert.h"
#include "napi/register.h"
#include "runtime/error.h"

namespace magic {

namespace {

at::Tensor matrix(std::vector<float>& values, int64_t columns, at::ScalarType dtype) {
  const int64_t rows = static_cast<int64_t>(values.size()) / columns;
  return at::from_blob(values.data(), {rows, columns}, at::kFloat).to(dtype);
}

Task product_task(const Napi::CallbackInfo& info) {
  const Fields fields(info[0], "product input");
  const int64_t in = fields.integer("inSize");
  auto x = fields.float32s("x"), weight = fields.float32s("weight");
  const auto whole = [in](const std::vector<float>& values) {
    return !values.empty() && in > 0 && static_cast<int64_t>(values.size()) % in == 0;
  };
  if (!whole(x) || !whole(weight)) {
    throw Error("INVALID_ARGUMENT", "product input: x and weight must have whole rows of inSize = " +
                                        std::to_string(in) + " values, at least one row each");
  }
  const auto dtype = fields.string("dtype") == "bfloat16" ? at::kBFloat16 : at::kFloat;
  return {[x = std::move(x), weight = std::move(weight), in, dtype](const Reports&) mutable -> Deliver {
    const at::Tensor y = float_product(matrix(x, in, dtype), matrix(weight, in, dtype).t()).contiguous();
    return [y](Napi::Env env) { return to_js(env, y.const_data_ptr<float>(), static_cast<size_t>(y.numel())); };
  }};
}

}  // namespace

void register_product(Napi::Env env, Napi::Object exports) { add_promise(env, exports, "product", product_task); }

}  // namespace magic
