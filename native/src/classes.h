#pragma once

#include <napi.h>

namespace wirespan {

// The constructors of one environment's classes; the addon makes their instances itself.
struct Classes {
  Napi::FunctionReference object;
  Napi::FunctionReference map;
  Napi::FunctionReference ring;
  Napi::FunctionReference waker;
  Napi::FunctionReference statistics;

  static Classes& Of(Napi::Env env) { return *env.GetInstanceData<Classes>(); }
};

// The bytes behind a Uint8Array; valid until JavaScript runs again.
inline uint8_t* Bytes(const Napi::Value& value) { return value.As<Napi::Uint8Array>().Data(); }

}  // namespace wirespan
