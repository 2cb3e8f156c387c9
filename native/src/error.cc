#include "error.h"

#include <bpf/libbpf.h>
#include <uv.h>

#include <cstdlib>
#include <cstring>

// Absent before glibc 2.32.
extern "C" __attribute__((weak)) const char* strerrorname_np(int error) noexcept;

namespace wirespan {
namespace {

std::string Describe(int error) {
  char text[128] = "";
  libbpf_strerror(std::abs(error), text, sizeof(text));
  return text;
}

}  // namespace

std::string ErrorName(int error) {
  error = std::abs(error);
  if (error >= __LIBBPF_ERRNO__START) return "ENOEXEC";
  if (error == kNotSupported) return "ENOTSUPP";
  const char* name = strerrorname_np ? strerrorname_np(error) : uv_err_name(-error);
  return name ? name : "E" + std::to_string(error);
}

Napi::Error ToError(Napi::Env env, const Failure& failure) {
  const std::string code = ErrorName(failure.error);
  const std::string object = failure.object.empty() ? "" : failure.object + ": ";
  const std::string program = failure.program.empty() ? "" : " " + failure.program;
  Napi::Error error = Napi::Error::New(
      env, object + failure.step + program + ": " + code + ", " + Describe(failure.error));
  error.Set("name", Napi::String::New(env, "NativeError"));
  error.Set("code", Napi::String::New(env, code));
  error.Set("step", Napi::String::New(env, failure.step));
  if (!failure.program.empty()) error.Set("program", Napi::String::New(env, failure.program));
  if (!failure.detail.empty()) error.Set("detail", Napi::String::New(env, failure.detail));
  return error;
}

void Throw(Napi::Env env, const Failure& failure) { throw ToError(env, failure); }

}  // namespace wirespan
