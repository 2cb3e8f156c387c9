#pragma once

#include <napi.h>

#include <cstdint>
#include <functional>

namespace wirespan {

// Of the calling thread's network namespace; throws Failure.
uint64_t OwnNetnsCookie();
// Does work in the namespace behind an open nsfs fd, on a thread of its own: no other thread ever
// leaves its namespace. Throws Failure, the work's too.
void InNetns(int fd, const std::function<void()>& work);

// netnsCookie(fd): number
Napi::Value NetnsCookie(const Napi::CallbackInfo& info);
// socketCookie(fd): number
Napi::Value SocketCookie(const Napi::CallbackInfo& info);

}  // namespace wirespan
