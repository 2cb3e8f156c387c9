#include "kernel_types.h"

#include <bpf/btf.h>

#include <cerrno>
#include <memory>
#include <string>

#include "error.h"

namespace wirespan {
namespace {

struct FreeTypes {
  void operator()(btf* types) const { btf__free(types); }
};

// Parsed at first use and kept: parsing costs milliseconds, and a start asks many questions.
const btf* KernelTypes(Napi::Env env) {
  static std::unique_ptr<btf, FreeTypes> types;
  if (!types) types.reset(btf__load_vmlinux_btf());
  if (!types) Throw(env, {"read kernel types", errno});
  return types.get();
}

// Null where the kernel has no such type.
const btf_type* Find(const btf* types, const std::string& name, uint32_t kind) {
  const int id = btf__find_by_name_kind(types, name.c_str(), kind);
  return id < 0 ? nullptr : btf__type_by_id(types, id);
}

}  // namespace

Napi::Value TracepointArity(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const btf* types = KernelTypes(env);
  const std::string name = info[0].As<Napi::String>();
  // typedef void (*btf_trace_<name>)(void *context, arguments...)
  const btf_type* type = Find(types, "btf_trace_" + name, BTF_KIND_TYPEDEF);
  if (!type) return Napi::Number::New(env, -1);
  const btf_type* pointer = btf__type_by_id(types, type->type);
  const btf_type* prototype = btf__type_by_id(types, pointer->type);
  return Napi::Number::New(env, btf_vlen(prototype) - 1);
}

Napi::Value FunctionArity(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const btf* types = KernelTypes(env);
  const btf_type* function = Find(types, info[0].As<Napi::String>(), BTF_KIND_FUNC);
  if (!function) return Napi::Number::New(env, -1);
  return Napi::Number::New(env, btf_vlen(btf__type_by_id(types, function->type)));
}

Napi::Value KernelEnum(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const btf* types = KernelTypes(env);
  auto result = Napi::Object::New(env);
  const btf_type* type = Find(types, info[0].As<Napi::String>(), BTF_KIND_ENUM);
  if (!type) return result;
  const auto* member = btf_enum(type);
  for (int i = 0; i < btf_vlen(type); i++, member++) {
    result[btf__name_by_offset(types, member->name_off)] = Napi::Number::New(env, member->val);
  }
  return result;
}

}  // namespace wirespan
