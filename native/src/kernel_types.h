#pragma once

#include <napi.h>

namespace wirespan {

// The running kernel's BTF. All throw ENOENT where the kernel has none.

// tracepointArity(name): number
Napi::Value TracepointArity(const Napi::CallbackInfo& info);
// functionArity(name): number
Napi::Value FunctionArity(const Napi::CallbackInfo& info);
// kernelEnum(name): Record<string, number>
Napi::Value KernelEnum(const Napi::CallbackInfo& info);

}  // namespace wirespan
