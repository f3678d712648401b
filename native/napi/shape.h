#pragma once
// The shape of a model and of its adapter, as they cross the boundary.

#include "napi/convert.h"
#include "policy/adapter.h"
#include "policy/shape.h"

namespace magic {

Shape shape_of(Napi::Value value);
LoraOptions lora_options_of(const Fields& fields);

}  // namespace magic
