#pragma once

#include <napi.h>

namespace wirespan {

// features(): Features
Napi::Value KernelFeatures(const Napi::CallbackInfo& info);
// tryKind(kind): string | undefined
Napi::Value TryKind(const Napi::CallbackInfo& info);

}  // namespace wirespan
