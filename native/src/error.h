#pragma once

#include <napi.h>

#include <string>

namespace wirespan {

// The kernel's internal ENOTSUPP, which leaks to user space and is unknown to glibc.
constexpr int kNotSupported = 524;

// An error in the kernel or in libbpf; thrown where JavaScript is not accessible.
struct Failure {
  // For messages and `step`: the failed operation.
  std::string step;
  // An errno or one of libbpf's own error numbers, of either sign.
  int error;
  std::string program = {};
  std::string detail = {};
  // The BPF object's name; for messages only.
  std::string object = {};
};

// The errno's name, `ENOEXEC` for libbpf's own errors about an object file.
std::string ErrorName(int error);

// The NativeError of a failure.
Napi::Error ToError(Napi::Env env, const Failure& failure);

[[noreturn]] void Throw(Napi::Env env, const Failure& failure);

// Calls `start`, which returns a promise; if it throws, the promise is rejected.
template <typename Start>
Napi::Value Promised(Napi::Env env, Start start) {
  const auto reject = [env](const Napi::Error& error) {
    const auto promise = Napi::Promise::Deferred::New(env);
    promise.Reject(error.Value());
    return promise.Promise();
  };
  try {
    return start();
  } catch (const Napi::Error& error) {
    return reject(error);
  } catch (const Failure& failure) {
    return reject(ToError(env, failure));
  }
}

}  // namespace wirespan
