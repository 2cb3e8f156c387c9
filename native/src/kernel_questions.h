#pragma once

#include <napi.h>

#include <memory>

#include "kernel_types.h"

namespace wirespan {

// The kernel's types as an environment holds them: reading them takes some 15 ms and the result
// some 10 MB, so that they are read at the first question, serve all that follow in the next
// seconds (a start asks many), and are let go.
class KeptKernelTypes {
 public:
  // Throws a NativeError where the kernel has none. Main thread; the answer may go anywhere.
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
