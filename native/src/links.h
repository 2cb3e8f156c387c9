#pragma once

#include <napi.h>

namespace wirespan {

// netnsLinks(fd): { cookie, links: [{ index, name, kind, packets, bytes }] }
Napi::Value NetnsLinks(const Napi::CallbackInfo& info);

}  // namespace wirespan
