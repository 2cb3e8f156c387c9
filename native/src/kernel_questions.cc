#include "kernel_questions.h"

#include <cerrno>
#include <string>

#include "allocator.h"
#include "environment.h"
#include "error.h"

namespace wirespan {
namespace {

constexpr int kKeptMilliseconds = 3000;

bool HasValue(const btf* types, const btf_type* type, const std::string& name) {
  const auto* member = btf_enum(type);
  for (int i = 0; i < btf_vlen(type); i++, member++) {
    if (name == btf__name_by_offset(types, member->name_off)) return true;
  }
  return false;
}

// The enum that has a value with that name; negative if there is none.
int EnumByValue(const btf* types, const std::string& name) {
  const int count = btf__type_cnt(types);
  for (int id = 1; id < count; id++) {
    const btf_type* type = btf__type_by_id(types, id);
    if (btf_kind(type) == BTF_KIND_ENUM && HasValue(types, type, name)) return id;
  }
  return -ENOENT;
}

}  // namespace

std::shared_ptr<const KernelTypes> KeptKernelTypes::Get(Napi::Env env) {
  if (types_) return types_;
  try {
    types_ = std::make_shared<KernelTypes>();
  } catch (const Failure& failure) {
    Throw(env, failure);
  }
  const auto let_go = [](const Napi::CallbackInfo& info) {
    Environment::Of(info.Env()).kernel_types.types_.reset();
    // Nor does the C library return the memory of the loads by itself.
    GiveBackFreed();
  };
  const auto set_timeout = env.Global().Get("setTimeout").As<Napi::Function>();
  const auto timer = set_timeout.Call(
      {Napi::Function::New(env, let_go), Napi::Number::New(env, kKeptMilliseconds)});
  timer.As<Napi::Object>().Get("unref").As<Napi::Function>().Call(timer, {});
  return types_;
}

Napi::Value TracepointArity(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto kernel = Environment::Of(env).kernel_types.Get(env);
  const std::string name = info[0].As<Napi::String>();
  const int id = kernel->AttachId("tp_btf/" + name);
  if (id < 0) return Napi::Number::New(env, -1);
  // typedef void (*btf_trace_<name>)(void *context, arguments...)
  const btf* types = kernel->all();
  const btf_type* pointer = btf__type_by_id(types, btf__type_by_id(types, id)->type);
  return Napi::Number::New(env, btf_vlen(btf__type_by_id(types, pointer->type)) - 1);
}

Napi::Value FunctionArity(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto kernel = Environment::Of(env).kernel_types.Get(env);
  const int id = kernel->Id(info[0].As<Napi::String>().Utf8Value(), BTF_KIND_FUNC);
  if (id < 0) return Napi::Number::New(env, -1);
  const btf* types = kernel->all();
  return Napi::Number::New(env, btf_vlen(btf__type_by_id(types, btf__type_by_id(types, id)->type)));
}

Napi::Value KernelEnum(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto kernel = Environment::Of(env).kernel_types.Get(env);
  auto result = Napi::Object::New(env);
  const std::string name = info[0].As<Napi::String>();
  const btf* types = kernel->all();
  int id = kernel->Id(name, BTF_KIND_ENUM);
  if (id < 0) id = EnumByValue(types, name);
  if (id < 0) return result;
  const btf_type* type = btf__type_by_id(types, id);
  const auto* member = btf_enum(type);
  for (int i = 0; i < btf_vlen(type); i++, member++) {
    result[btf__name_by_offset(types, member->name_off)] = Napi::Number::New(env, member->val);
  }
  return result;
}

}  // namespace wirespan
