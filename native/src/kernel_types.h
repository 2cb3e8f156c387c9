#pragma once

#include <bpf/btf.h>
#include <napi.h>

#include <cstdint>
#include <memory>
#include <string>

namespace wirespan {

// The running kernel's BTF. Parsing it takes some 10 ms and the result some 8 MB, so that it is
// read at the first question, serves all that follow in the next seconds (a start asks many), and
// is let go.
class KernelTypes {
 public:
  // Throws a NativeError where the kernel has none.
  const btf* Get(Napi::Env env);

  // A type by name and BTF_KIND_*; negative where there is none.
  int Id(Napi::Env env, const std::string& name, uint32_t kind);

 private:
  struct Free {
    void operator()(btf* types) const { btf__free(types); }
  };

  std::unique_ptr<btf, Free> types_;
};

// tracepointArity(name): number
Napi::Value TracepointArity(const Napi::CallbackInfo& info);
// functionArity(name): number
Napi::Value FunctionArity(const Napi::CallbackInfo& info);
// kernelEnum(name of the enum or of a value): Record<string, number>
Napi::Value KernelEnum(const Napi::CallbackInfo& info);

}  // namespace wirespan
