#pragma once
// The functions of each concept, as named in src/native/contract.ts.

#include <string>

#include "napi/addon_api.h"
#include "napi/error.h"
#include "napi/promise_task.h"

namespace magic {

void register_runtime(Napi::Env env, Napi::Object exports);     // versions, createCancel, cancel
void register_profile(Napi::Env env, Napi::Object exports);     // startTrace, stopTrace, peakFlops
void register_policy(Napi::Env env, Napi::Object exports);      // create, load, dispose, parameters, save
void register_snapshot(Napi::Env env, Napi::Object exports);    // snapshot, disposeSnapshot, writeParameters, ...
void register_training(Napi::Env env, Napi::Object exports);    // score, computeGradients, trainStep
void register_memory(Napi::Env env, Napi::Object exports);      // predictMemory
void register_generation(Napi::Env env, Napi::Object exports);  // generate
void register_head(Napi::Env env, Napi::Object exports);        // head
void register_product(Napi::Env env, Napi::Object exports);     // product

// `prepare` (const Napi::CallbackInfo&) -> Task
template <class Prepare>
void add_promise(Napi::Env env, Napi::Object exports, const char* name, Prepare prepare) {
  exports.Set(name, Napi::Function::New(
                        env,
                        [prepare](const Napi::CallbackInfo& info) {
                          return promise_task(info.Env(), [&] { return prepare(info); });
                        },
                        name));
}

// `body` (const Napi::CallbackInfo&) -> Napi::Value
template <class Body>
void add_function(Napi::Env env, Napi::Object exports, const char* name, Body body) {
  exports.Set(
      name, Napi::Function::New(
                env, [body](const Napi::CallbackInfo& info) { return guarded(info.Env(), [&] { return body(info); }); },
                name));
}

}  // namespace magic
