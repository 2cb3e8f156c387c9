#include "load.h"

#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "environment.h"
#include "error.h"
#include "loaded.h"
#include "map.h"
#include "object.h"

namespace wirespan {
namespace {

// Opens and loads on a worker thread: several loads overlap, and the event loop is not blocked.
class Loading : public Napi::AsyncWorker {
 public:
  Loading(Napi::Env env, LoadRequest request)
      : AsyncWorker(env),
        promise_(Napi::Promise::Deferred::New(env)),
        request_(std::move(request)) {}

  Napi::Promise Promise() const { return promise_.Promise(); }

 protected:
  void Execute() override {
    try {
      loaded_ = std::make_shared<Loaded>(request_);
    } catch (Failure& failure) {
      failure_ = std::move(failure);
      SetError(failure_.step);
    }
  }

  void OnOK() override { promise_.Resolve(Object::New(Env(), loaded_)); }

  void OnError(const Napi::Error& error) override {
    // Without an errno it was an exception: out of memory.
    if (!failure_.error) return promise_.Reject(error.Value());
    failure_.object = request_.name;
    promise_.Reject(ToError(Env(), failure_).Value());
  }

 private:
  Napi::Promise::Deferred promise_;
  LoadRequest request_;
  std::shared_ptr<Loaded> loaded_;
  Failure failure_ = {"load", 0};
};

std::vector<uint8_t> Copy(const Napi::Value& value) {
  const auto bytes = value.As<Napi::Uint8Array>();
  return {bytes.Data(), bytes.Data() + bytes.ByteLength()};
}

// Calls `visit(name, value)` for each property of an optional record.
template <typename Visit>
void ForEach(const Napi::Value& record, Visit visit) {
  if (!record.IsObject()) return;
  const auto object = record.As<Napi::Object>();
  const Napi::Array names = object.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); i++) {
    const std::string name = names.Get(i).As<Napi::String>();
    visit(name, object.Get(name));
  }
}

LoadRequest Request(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto options = info[2].As<Napi::Object>();
  LoadRequest request;
  request.name = info[0].As<Napi::String>();
  request.object = Copy(info[1]);
  request.kernel = Environment::Of(env).kernel_types.Get(env);
  const auto programs = options.Get("programs").As<Napi::Array>();
  for (uint32_t i = 0; i < programs.Length(); i++) {
    request.programs.push_back(programs.Get(i).As<Napi::String>());
  }
  ForEach(options.Get("constants"), [&](const std::string& name, const Napi::Value& value) {
    request.constants[name] = Copy(value);
  });
  ForEach(options.Get("maxEntries"), [&](const std::string& name, const Napi::Value& value) {
    request.max_entries[name] = value.As<Napi::Number>().Uint32Value();
  });
  ForEach(options.Get("pinned"), [&](const std::string& name, const Napi::Value& value) {
    request.pinned[name] = value.As<Napi::String>();
  });
  ForEach(options.Get("reuse"), [&](const std::string& name, const Napi::Value& value) {
    // A descriptor of our own: the owner may be closed before the worker thread uses it.
    Fd fd = Fd::Duplicate(Map::Unwrap(value.As<Napi::Object>())->Open(env, "reuse map"));
    if (!fd.ok()) Throw(env, {"reuse map " + name, errno});
    request.reuse[name] = std::move(fd);
  });
  return request;
}

}  // namespace

Napi::Value Load(const Napi::CallbackInfo& info) {
  return Promised(info.Env(), [&] {
    // Deletes itself when it has settled the promise.
    auto* loading = new Loading(info.Env(), Request(info));
    loading->Queue();
    return loading->Promise();
  });
}

}  // namespace wirespan
