#pragma once

#include <napi.h>

#include <memory>

#include "loaded.h"

namespace wirespan {

// BpfObject of native/index.ts.
class Object : public Napi::ObjectWrap<Object> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Object New(Napi::Env env, std::shared_ptr<Loaded> loaded);

  explicit Object(const Napi::CallbackInfo& info);

 private:
  void Attach(const Napi::CallbackInfo& info);
  Napi::Value AttachFunction(const Napi::CallbackInfo& info);
  void DetachFunction(const Napi::CallbackInfo& info);
  void Detach(const Napi::CallbackInfo& info);
  void Place(const Napi::CallbackInfo& info);
  Napi::Value Map(const Napi::CallbackInfo& info);
  Napi::Value Programs(const Napi::CallbackInfo& info);
  Napi::Value Misses(const Napi::CallbackInfo& info);
  Napi::Value Iterate(const Napi::CallbackInfo& info);
  void AdoptIterator(const Napi::CallbackInfo& info);
  Napi::Value Run(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  // Throws EBADF once closed.
  Loaded& Open(Napi::Env env, const char* step) const;

  // Shared with the maps handed out, which check with it whether they are still valid.
  std::shared_ptr<Loaded> loaded_;
};

}  // namespace wirespan
