#include "ring.h"

#include <bpf/bpf.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "environment.h"
#include "error.h"
#include "map.h"

namespace wirespan {
namespace {

constexpr size_t kDefaultBatchBytes = 256 * 1024;

// Size of a record in the ring: header and data, padded.
uint32_t Footprint(uint32_t header) {
  const uint32_t length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
  return (length + BPF_RINGBUF_HDR_SZ + 7) & ~7u;
}

}  // namespace

Napi::Function Ring::Define(Napi::Env env) {
  return DefineClass(
      env, "Ring",
      {InstanceAccessor<&Ring::Pending>("pending"), InstanceAccessor<&Ring::Capacity>("capacity"),
       InstanceMethod<&Ring::Drain>("drain"), InstanceMethod<&Ring::Close>("close")});
}

Napi::Value Ring::OpenRing(const Napi::CallbackInfo& info) {
  return Environment::Of(info.Env()).ring.New({info[0], info[1]});
}

Ring::Ring(const Napi::CallbackInfo& info)
    : ObjectWrap(info),
      batch_bytes_(info[1].IsNumber() ? info[1].As<Napi::Number>().Uint32Value()
                                      : kDefaultBatchBytes) {
  const Napi::Env env = info.Env();
  const Map& map = *Map::Unwrap(info[0].As<Napi::Object>());
  const int fd = map.Open(env, "map ring");
  if (!map.is_ring()) Throw(env, {"map ring", EINVAL});
  fd_ = Fd::Duplicate(fd);
  if (!fd_.ok()) Throw(env, {"map ring", errno});
  const int error = memory_.Map(fd, map.max_entries());
  if (error) Throw(env, {"map ring", error});
}

int Ring::Open(Napi::Env env, const char* step) const {
  if (!memory_.mapped()) Throw(env, {step, EBADF});
  return fd_.get();
}

void Ring::LeaveWatcher() {
  if (const auto epoll = watcher_.lock())
    epoll_ctl(epoll->get(), EPOLL_CTL_DEL, fd_.get(), nullptr);
  watcher_.reset();
}

uint8_t* Ring::Buffer(size_t bytes) {
  const size_t present = bytes_.IsEmpty() ? 0 : bytes_.Value().ByteLength();
  if (present == 0 || present < bytes) {
    // A multiple of 8 keeps the two views equally long.
    const size_t size = (std::max(bytes, batch_bytes_) + 7) & ~size_t{7};
    const auto buffer = Napi::ArrayBuffer::New(Env(), size);
    bytes_ = Napi::Persistent(Napi::Uint8Array::New(Env(), size, buffer, 0));
    words_ = Napi::Persistent(Napi::Uint32Array::New(Env(), size / 4, buffer, 0));
  }
  return bytes_.Value().Data();
}

Ring::Batch Ring::Take(uint64_t end) {
  Batch batch;
  uint64_t position = memory_.consumed();
  // Most reads find nothing, and a ring that never contains anything needs no buffer.
  if (position == memory_.produced()) return batch;
  uint8_t* into = Buffer(0);
  size_t room = bytes_.Value().ByteLength();
  // Records from `run` to `position` have yet to be copied: one copy for each stretch without
  // discarded records.
  uint64_t run = position;
  const auto flush = [&] {
    const size_t length = position - run;
    if (length) memory_.Copy(into + batch.bytes, run, length);
    batch.bytes += length;
  };
  end = std::min(end, memory_.produced());
  while (position < end) {
    const uint32_t header = memory_.Header(position);
    if (header & BPF_RINGBUF_BUSY_BIT) break;
    const uint32_t size = Footprint(header);
    if (header & BPF_RINGBUF_DISCARD_BIT) {
      flush();
      position += size;
      run = position;
      continue;
    }
    if (batch.bytes + (position - run) + size > room) {
      if (batch.records) break;
      into = Buffer(size);
      room = bytes_.Value().ByteLength();
    }
    position += size;
    batch.records++;
  }
  flush();
  memory_.Consume(position);
  return batch;
}

Napi::Value Ring::Drain(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Open(env, "drain");
  // The callback reads the one buffer that a nested call would overwrite.
  if (draining_) Throw(env, {"drain", EBUSY});
  const auto on_batch = info[0].As<Napi::Function>();
  struct Draining {
    bool& flag;
    explicit Draining(bool& f) : flag(f) { flag = true; }
    ~Draining() { flag = false; }
  } const draining(draining_);
  // At most one ring full per call, otherwise fast producers would keep us here forever.
  const uint64_t end = memory_.consumed() + memory_.size();
  uint64_t records = 0;
  while (memory_.mapped()) {
    const Napi::HandleScope scope(env);
    const uint64_t before = memory_.consumed();
    const Batch batch = Take(end);
    if (batch.records) {
      records += batch.records;
      on_batch.Call({words_.Value(), bytes_.Value(), Napi::Number::New(env, batch.bytes)});
    } else if (memory_.consumed() == before) {
      break;
    }
  }
  return Napi::Number::New(env, records);
}

Napi::Value Ring::Pending(const Napi::CallbackInfo& info) {
  Open(info.Env(), "pending");
  return Napi::Number::New(info.Env(), memory_.produced() - memory_.consumed());
}

Napi::Value Ring::Capacity(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), memory_.size());
}

void Ring::Close(const Napi::CallbackInfo&) { CloseNow(); }

void Ring::CloseNow() {
  LeaveWatcher();
  memory_.Unmap();
  fd_ = Fd();
}

}  // namespace wirespan
