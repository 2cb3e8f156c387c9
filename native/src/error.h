#pragma once

#include <napi.h>

#include <string>

namespace wirespan {

// What went wrong in the kernel or in libbpf; thrown where no JavaScript may be touched.
struct Failure {
  // For messages and `step`: what was being done.
  std::string step;
  // An errno or one of libbpf's own error numbers, of either sign.
  int error;
  std::string program = {};
  std::string detail = {};
  // The BPF object's name; for messages only.
  std::string object = {};
};

// The errno's name, `ENOEXEC` for libbpf's own complaints about an object file.
std::string ErrorName(int error);

// The NativeError of a failure.
Napi::Error ToError(Napi::Env env, const Failure& failure);

[[noreturn]] void Throw(Napi::Env env, const Failure& failure);

}  // namespace wirespan
