#include "waker.h"

#include <sys/epoll.h>
#include <uv.h>

#include <cerrno>

#include "environment.h"
#include "error.h"
#include "ring.h"

namespace wirespan {

struct Waker::Watch {
  uv_poll_t poll = {};
  // Null once the waker has been released.
  Waker* owner = nullptr;
  napi_async_cleanup_hook_handle cleanup = nullptr;
  // Keeps the descriptor open for as long as the loop may use it.
  std::shared_ptr<Fd> epoll;

  static void Closed(uv_handle_t* handle) {
    auto* watch = static_cast<Watch*>(handle->data);
    napi_remove_async_cleanup_hook(watch->cleanup);
    delete watch;
  }
};

Napi::Function Waker::Define(Napi::Env env) {
  return DefineClass(env, "Waker",
                     {InstanceMethod<&Waker::Add>("add"), InstanceMethod<&Waker::Remove>("remove"),
                      InstanceMethod<&Waker::Close>("close")});
}

Napi::Value Waker::Create(const Napi::CallbackInfo& info) {
  return Environment::Of(info.Env()).waker.New({info[0]});
}

Waker::Waker(const Napi::CallbackInfo& info)
    : ObjectWrap(info),
      epoll_(std::make_shared<Fd>(epoll_create1(EPOLL_CLOEXEC))),
      on_wake_(Napi::Persistent(info[0].As<Napi::Function>())) {
  const Napi::Env env = info.Env();
  if (!epoll_->ok()) Throw(env, {"create waker", errno});
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  auto watch = std::make_unique<Watch>();
  const int error = uv_poll_init(loop, &watch->poll, epoll_->get());
  if (error) Throw(env, {"create waker", error});
  watch_ = watch.release();
  watch_->poll.data = watch_;
  watch_->owner = this;
  watch_->epoll = epoll_;
  napi_add_async_cleanup_hook(
      env,
      [](napi_async_cleanup_hook_handle, void* data) {
        auto* ending = static_cast<Watch*>(data);
        if (ending->owner) ending->owner->CloseNow();
      },
      watch_, &watch_->cleanup);
  uv_poll_start(&watch_->poll, UV_READABLE, &Waker::OnReadable);
}

void Waker::OnReadable(uv_poll_t* poll, int, int) {
  const auto* watch = static_cast<Watch*>(poll->data);
  // Edge-triggered: taking the events makes the set unreadable again.
  epoll_event events[16];
  while (epoll_wait(watch->epoll->get(), events, 16, 0) == 16) {
  }
  if (watch->owner) watch->owner->Wake();
}

void Waker::Wake() {
  const Napi::Env env = Env();
  const Napi::HandleScope scope(env);
  try {
    on_wake_.MakeCallback(env.Global(), {});
  } catch (const Napi::Error& error) {
    napi_fatal_exception(env, error.Value());
  }
}

void Waker::Add(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!watch_) Throw(env, {"add ring", EBADF});
  Ring& ring = *Ring::Unwrap(info[0].As<Napi::Object>());
  epoll_event event = {};
  // Edge-triggered: a forced wake-up is reported once, and records submitted without one are not
  // reported.
  event.events = EPOLLIN | EPOLLET;
  if (epoll_ctl(epoll_->get(), EPOLL_CTL_ADD, ring.Open(env, "add ring"), &event)) {
    Throw(env, {"add ring", errno});
  }
  ring.WatchedBy(epoll_);
}

void Waker::Remove(const Napi::CallbackInfo& info) {
  Ring::Unwrap(info[0].As<Napi::Object>())->LeaveWatcher();
}

void Waker::Close(const Napi::CallbackInfo&) { CloseNow(); }

void Waker::CloseNow() {
  if (!watch_) return;
  watch_->owner = nullptr;
  uv_poll_stop(&watch_->poll);
  uv_close(reinterpret_cast<uv_handle_t*>(&watch_->poll), &Watch::Closed);
  watch_ = nullptr;
  epoll_.reset();
}

}  // namespace wirespan
