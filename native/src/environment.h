#pragma once

#include <napi.h>

#include "kernel_questions.h"

namespace wirespan {

// What each JavaScript environment, the main thread's or a worker's, has for itself.
struct Environment {
  // The addon makes its objects itself: JavaScript sees no constructors.
  Napi::FunctionReference object;
  Napi::FunctionReference map;
  Napi::FunctionReference ring;
  Napi::FunctionReference waker;
  Napi::FunctionReference statistics;

  KeptKernelTypes kernel_types;

  static Environment& Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

// The bytes behind a Uint8Array; valid until JavaScript runs again.
inline uint8_t* Bytes(const Napi::Value& value) { return value.As<Napi::Uint8Array>().Data(); }

}  // namespace wirespan
