#pragma once

#include <napi.h>

namespace wirespan {

// bootOffset(): Offset
Napi::Value BootOffset(const Napi::CallbackInfo& info);
// bootNow(): nanoseconds
Napi::Value BootNow(const Napi::CallbackInfo& info);
// bootShift(): nanoseconds
Napi::Value BootShift(const Napi::CallbackInfo& info);

}  // namespace wirespan
