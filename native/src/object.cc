#include "object.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <string>
#include <utility>

#include "environment.h"
#include "error.h"
#include "iteration.h"
#include "map.h"

namespace wirespan {
namespace {

bpf_prog_info FactsOf(Napi::Env env, const bpf_program* program) {
  bpf_prog_info facts = {};
  uint32_t size = sizeof(facts);
  if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &facts, &size)) {
    Throw(env, {"describe", errno, bpf_program__name(program)});
  }
  return facts;
}

Napi::Object Describe(Napi::Env env, const bpf_program* program, bool attached) {
  const bpf_prog_info facts = FactsOf(env, program);
  auto result = Napi::Object::New(env);
  result["name"] = Napi::String::New(env, bpf_program__name(program));
  result["id"] = Napi::Number::New(env, facts.id);
  result["attached"] = Napi::Boolean::New(env, attached);
  result["instructions"] = Napi::Number::New(env, facts.xlated_prog_len / sizeof(bpf_insn));
  result["runCount"] = Napi::Number::New(env, facts.run_cnt);
  result["runTimeNs"] = Napi::Number::New(env, facts.run_time_ns);
  result["misses"] = Napi::Number::New(env, facts.recursion_misses);
  return result;
}

}  // namespace

Napi::Function Object::Define(Napi::Env env) {
  return DefineClass(
      env, "BpfObject",
      {InstanceMethod<&Object::Attach>("attach"),
       InstanceMethod<&Object::AttachFunction>("attachFunction"),
       InstanceMethod<&Object::DetachFunction>("detachFunction"),
       InstanceMethod<&Object::Detach>("detach"), InstanceMethod<&Object::Place>("place"),
       InstanceMethod<&Object::Map>("map"), InstanceMethod<&Object::Programs>("programs"),
       InstanceAccessor<&Object::Misses>("misses"), InstanceMethod<&Object::Iterate>("iterate"),
       InstanceMethod<&Object::AdoptIterator>("adoptIterator"), InstanceMethod<&Object::Run>("run"),
       InstanceMethod<&Object::Close>("close")});
}

Napi::Object Object::New(Napi::Env env, std::shared_ptr<Loaded> loaded) {
  return Environment::Of(env).object.New(
      {Napi::External<std::shared_ptr<Loaded>>::New(env, &loaded)});
}

Object::Object(const Napi::CallbackInfo& info)
    : ObjectWrap(info), loaded_(*info[0].As<Napi::External<std::shared_ptr<Loaded>>>().Data()) {}

Loaded& Object::Open(Napi::Env env, const char* step) const {
  if (!loaded_->open()) Throw(env, {step, EBADF});
  return *loaded_;
}

void Object::Attach(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  try {
    Open(env, "attach").Attach(info[0].As<Napi::String>());
  } catch (const Failure& failure) {
    Throw(env, failure);
  }
}

Napi::Value Object::AttachFunction(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  try {
    const uint32_t link =
        Open(env, "attach")
            .AttachFunction(info[0].As<Napi::String>(), info[1].As<Napi::String>(),
                            info[2].As<Napi::String>());
    return Napi::Number::New(env, link);
  } catch (const Failure& failure) {
    Throw(env, failure);
  }
}

void Object::DetachFunction(const Napi::CallbackInfo& info) {
  Open(info.Env(), "detach").DetachFunction(info[0].As<Napi::Number>());
}

void Object::Detach(const Napi::CallbackInfo& info) {
  Open(info.Env(), "detach").Detach(info[0].As<Napi::String>());
}

void Object::Place(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string name = info[0].As<Napi::String>();
  const int map = wirespan::Map::Unwrap(info[1].As<Napi::Object>())->Open(env, "place");
  const uint32_t key = info[2].As<Napi::Number>();
  try {
    const int program = bpf_program__fd(Open(env, "place").Program(name, "place"));
    const int error = bpf_map_update_elem(map, &key, &program, BPF_ANY);
    if (error) throw Failure{"place", error, name};
  } catch (const Failure& failure) {
    Throw(env, failure);
  }
}

Napi::Value Object::Map(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  try {
    bpf_map* map = Open(env, "map").Map(info[0].As<Napi::String>(), "map");
    return Map::New(env, loaded_, map);
  } catch (const Failure& failure) {
    Throw(env, failure);
  }
}

Napi::Value Object::Programs(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Loaded& loaded = Open(env, "describe");
  auto result = Napi::Array::New(env);
  for (const bpf_program* program : loaded.Programs()) {
    result[result.Length()] = Describe(env, program, loaded.attached(bpf_program__name(program)));
  }
  return result;
}

Napi::Value Object::Misses(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  uint64_t misses = 0;
  for (const bpf_program* program : Open(env, "describe").Programs()) {
    misses += FactsOf(env, program).recursion_misses;
  }
  return Napi::Number::New(env, misses);
}

Napi::Value Object::Iterate(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string program = info[0].As<Napi::String>();
  const std::string map = info[1].IsString() ? info[1].As<Napi::String>().Utf8Value() : "";
  return Promised(env, [&] {
    return Iteration::Start(env, program, Open(env, "iterate").Iterator(program, map));
  });
}

void Object::AdoptIterator(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Object& other = *Unwrap(info[0].As<Napi::Object>());
  try {
    Open(env, "adopt")
        .AdoptIterator(other.Open(env, "adopt"), info[1].As<Napi::String>(),
                       info[2].As<Napi::String>());
  } catch (const Failure& failure) {
    Throw(env, failure);
  }
}

Napi::Value Object::Run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string name = info[0].As<Napi::String>();
  const Loaded& loaded = Open(env, "run");
  bpf_test_run_opts options = {};
  options.sz = sizeof(options);
  if (info[1].IsTypedArray()) {
    // The kernel writes a syscall program's context back to where it came from.
    options.ctx_in = Bytes(info[1]);
    options.ctx_size_in = info[1].As<Napi::Uint8Array>().ByteLength();
  }
  try {
    const int error =
        bpf_prog_test_run_opts(bpf_program__fd(loaded.Program(name, "run")), &options);
    if (error) throw Failure{"run", error, name};
  } catch (const Failure& failure) {
    Throw(env, failure);
  }
  return Napi::Number::New(env, static_cast<int32_t>(options.retval));
}

void Object::Close(const Napi::CallbackInfo&) { loaded_->Close(); }

}  // namespace wirespan
