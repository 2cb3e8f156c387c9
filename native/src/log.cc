#include "log.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>

namespace wirespan {
namespace {

struct Message {
  int level;
  std::string text;
};

// libbpf logs on any thread, and its callback is global; so is the listener.
class Listener {
 public:
  void Set(Napi::Env env, Napi::Function function) {
    Clear();
    const std::lock_guard lock(mutex_);
    const uint64_t generation = ++generation_;
    queue_ = Napi::ThreadSafeFunction::New(env, function, "libbpf messages", 0, 1,
                                           [this, generation](Napi::Env) { Ended(generation); });
    queue_->Unref(env);
  }

  void Clear() {
    const std::lock_guard lock(mutex_);
    if (queue_) queue_->Release();
    queue_.reset();
  }

  bool present() {
    const std::lock_guard lock(mutex_);
    return queue_.has_value();
  }

  void Send(std::unique_ptr<Message> message) {
    const std::lock_guard lock(mutex_);
    if (!queue_) return;
    const napi_status status = queue_->NonBlockingCall(message.get(), &Listener::Deliver);
    if (status == napi_ok) message.release();
    // A closing queue is deleted without notice: it must not be used again.
    if (status == napi_closing) queue_.reset();
  }

 private:
  static void Deliver(Napi::Env env, Napi::Function function, Message* raw) {
    const std::unique_ptr<Message> message(raw);
    if (static_cast<napi_env>(env) == nullptr) return;
    function.Call({Napi::Number::New(env, message->level), Napi::String::New(env, message->text)});
  }

  // The environment is being destroyed, or a newer listener has replaced it.
  void Ended(uint64_t generation) {
    const std::lock_guard lock(mutex_);
    if (generation == generation_) queue_.reset();
  }

  std::mutex mutex_;
  uint64_t generation_ = 0;
  std::optional<Napi::ThreadSafeFunction> queue_;
};

Listener listener;
thread_local Warnings* collecting = nullptr;

std::string Format(const char* format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  const int length = vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (length <= 0) return "";
  std::string text(length, '\0');
  vsnprintf(text.data(), text.size() + 1, format, arguments);
  return text;
}

int Print(libbpf_print_level level, const char* format, va_list arguments) {
  const bool collect = collecting && level == LIBBPF_WARN;
  const bool forward = listener.present();
  if (!collect && !forward) return 0;
  std::string text = Format(format, arguments);
  if (collect) collecting->Add(text);
  if (forward) {
    if (text.ends_with('\n')) text.pop_back();
    listener.Send(std::make_unique<Message>(level, std::move(text)));
  }
  return 0;
}

}  // namespace

void CaptureMessages() { libbpf_set_print(&Print); }

Warnings::Warnings() : outer_(collecting) { collecting = this; }

Warnings::~Warnings() { collecting = outer_; }

void OnMessage(const Napi::CallbackInfo& info) {
  if (info[0].IsFunction()) {
    listener.Set(info.Env(), info[0].As<Napi::Function>());
  } else {
    listener.Clear();
  }
}

}  // namespace wirespan
