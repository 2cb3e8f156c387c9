#pragma once

#include <napi.h>

#include <memory>

#include "kernel_types.h"

namespace wirespan {

// The kernel's types, cached per environment: reading them takes some 15 ms and the result some 10
// MB, so they are read on first use, kept for the following seconds (a start needs them many
// times), and then freed.
class KeptKernelTypes {
 public:
  // Throws a NativeError if the kernel has none. Main thread; the result may be used anywhere.
  std::shared_ptr<const KernelTypes> Get(Napi::Env env);

 private:
  std::shared_ptr<const KernelTypes> types_;
};

// tracepointArity(name): number
Napi::Value TracepointArity(const Napi::CallbackInfo& info);
// functionArity(name): number
Napi::Value FunctionArity(const Napi::CallbackInfo& info);
// kernelEnum(name of the enum or of a value): Record<string, number>
Napi::Value KernelEnum(const Napi::CallbackInfo& info);

}  // namespace wirespan
