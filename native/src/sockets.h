#pragma once

#include <napi.h>

namespace wirespan {

// netnsCookie(fd): number
Napi::Value NetnsCookie(const Napi::CallbackInfo& info);
// socketCookie(fd): number
Napi::Value SocketCookie(const Napi::CallbackInfo& info);

}  // namespace wirespan
