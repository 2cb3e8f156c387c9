#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>

#include "fd.h"
#include "ring_memory.h"

namespace wirespan {

// Ring of native/index.ts. It copies bytes and does not know records: JavaScript decodes.
class Ring : public Napi::ObjectWrap<Ring> {
 public:
  static Napi::Function Define(Napi::Env env);
  // openRing(map, batchBytes?)
  static Napi::Value OpenRing(const Napi::CallbackInfo& info);

  explicit Ring(const Napi::CallbackInfo& info);
  ~Ring() override { CloseNow(); }

  // Readable if records wait; EBADF once closed.
  int Open(Napi::Env env, const char* step) const;
  // The epoll set that polls this ring, to be left on close: closing our descriptor is not
  // enough, because the map's owner keeps the same file open.
  void WatchedBy(const std::shared_ptr<Fd>& epoll) { watcher_ = epoll; }
  void LeaveWatcher();

 private:
  struct Batch {
    uint32_t bytes = 0;
    uint32_t records = 0;
  };

  Napi::Value Drain(const Napi::CallbackInfo& info);
  Napi::Value Pending(const Napi::CallbackInfo& info);
  Napi::Value Capacity(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  void CloseNow();

  // Moves committed records that begin before `end` into the buffer, until it is full.
  Batch Take(uint64_t end);
  // The reused buffer, allocated again if it is smaller than `bytes` or was transferred.
  uint8_t* Buffer(size_t bytes);

  Fd fd_;
  RingMemory memory_;
  std::weak_ptr<Fd> watcher_;
  bool draining_ = false;
  size_t batch_bytes_;
  Napi::Reference<Napi::Uint8Array> bytes_;
  Napi::Reference<Napi::Uint32Array> words_;
};

}  // namespace wirespan
