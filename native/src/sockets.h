#pragma once

#include <napi.h>

#include <cstdint>
#include <functional>

namespace wirespan {

// Of the calling thread's network namespace; throws Failure.
uint64_t OwnNetnsCookie();
// Runs `work` in the namespace of an open nsfs fd, on a separate thread: no other thread ever
// leaves its namespace. Throws Failure, also that of the work.
void InNetns(int fd, const std::function<void()>& work);

// netnsCookie(fd): number
Napi::Value NetnsCookie(const Napi::CallbackInfo& info);
// socketCookie(fd): number
Napi::Value SocketCookie(const Napi::CallbackInfo& info);

}  // namespace wirespan
