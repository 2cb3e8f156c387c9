#pragma once

#include <napi.h>

namespace wirespan {

// sendDatagram(address, text): void
Napi::Value SendDatagram(const Napi::CallbackInfo& info);

}  // namespace wirespan
