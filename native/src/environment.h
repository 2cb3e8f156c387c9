#pragma once

#include <napi.h>

#include "kernel_questions.h"

namespace wirespan {

// The state of each JavaScript environment, the main thread's or a worker's.
struct Environment {
  // The addon creates its objects itself: JavaScript sees no constructors.
  Napi::FunctionReference object;
  Napi::FunctionReference map;
  Napi::FunctionReference ring;
  Napi::FunctionReference waker;
  Napi::FunctionReference statistics;

  KeptKernelTypes kernel_types;

  static Environment& Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

// The bytes of a Uint8Array; valid until JavaScript runs again.
inline uint8_t* Bytes(const Napi::Value& value) { return value.As<Napi::Uint8Array>().Data(); }

}  // namespace wirespan
