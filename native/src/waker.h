#pragma once

#include <napi.h>

#include <memory>

#include "fd.h"

struct uv_poll_s;

namespace wirespan {

// Waker of native/index.ts: one epoll set over the rings, polled by the event loop.
class Waker : public Napi::ObjectWrap<Waker> {
 public:
  static Napi::Function Define(Napi::Env env);
  // createWaker(onWake)
  static Napi::Value Create(const Napi::CallbackInfo& info);

  explicit Waker(const Napi::CallbackInfo& info);
  ~Waker() override { CloseNow(); }

 private:
  // The event loop's handle, which outlives us until the loop has closed it.
  struct Watch;

  void Add(const Napi::CallbackInfo& info);
  void Remove(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  void CloseNow();
  void Wake();

  static void OnReadable(uv_poll_s* poll, int status, int events);

  // Rings refer to it weakly, to leave it when they close.
  std::shared_ptr<Fd> epoll_;
  Watch* watch_ = nullptr;
  Napi::FunctionReference on_wake_;
};

}  // namespace wirespan
