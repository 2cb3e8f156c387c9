#include "iteration.h"

#include <cerrno>
#include <cstdlib>
#include <new>
#include <utility>

namespace wirespan {
namespace {

// The kernel gathers up to 32 KiB of output for one read.
constexpr size_t kChunk = 64 * 1024;

}  // namespace

Iteration::Iteration(Napi::Env env, const std::string& program, Fd file)
    : AsyncWorker(env),
      promise_(Napi::Promise::Deferred::New(env)),
      file_(std::move(file)),
      failure_{"iterate", 0, program} {}

Napi::Value Iteration::Start(Napi::Env env, const std::string& program, Fd file) {
  // Deletes itself when it has settled the promise.
  auto* iteration = new Iteration(env, program, std::move(file));
  iteration->Queue();
  return iteration->promise_.Promise();
}

void Iteration::Resize(size_t capacity) {
  auto* bytes = static_cast<uint8_t*>(realloc(bytes_.get(), capacity));
  if (!bytes) throw std::bad_alloc();
  bytes_.release();
  bytes_.reset(bytes);
  capacity_ = capacity;
}

void Iteration::Execute() {
  for (;;) {
    if (capacity_ - length_ < kChunk) Resize(capacity_ ? capacity_ * 2 : kChunk);
    const ssize_t got = read(file_.get(), bytes_.get() + length_, capacity_ - length_);
    if (got == 0) break;
    if (got > 0) {
      length_ += got;
    } else if (errno != EINTR && errno != EAGAIN) {
      // EAGAIN: a million elements were walked without output; continue.
      failure_.error = errno;
      SetError("iterate");
      return;
    }
  }
  Resize(length_ + 1);
}

void Iteration::OnOK() {
  const Napi::Env env = Env();
  auto buffer = Napi::ArrayBuffer::New(env, bytes_.get(), length_,
                                       [](Napi::Env, void* bytes) { free(bytes); });
  bytes_.release();
  promise_.Resolve(Napi::Uint8Array::New(env, length_, buffer, 0));
}

void Iteration::OnError(const Napi::Error& error) {
  // Without an errno it was an exception: out of memory.
  promise_.Reject(failure_.error ? ToError(Env(), failure_).Value() : error.Value());
}

}  // namespace wirespan
