#pragma once

#include <napi.h>

namespace wirespan {

// load(name, object, options): Promise<BpfObject>
Napi::Value Load(const Napi::CallbackInfo& info);

}  // namespace wirespan
