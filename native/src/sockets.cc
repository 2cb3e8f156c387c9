#include "sockets.h"

#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <thread>

#include "error.h"
#include "fd.h"

// Since Linux 5.14; a C library may be older.
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace wirespan {
namespace {

// A socket option that is a cookie; throws Failure.
uint64_t Cookie(int socket, int option, const char* step) {
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (getsockopt(socket, SOL_SOCKET, option, &cookie, &size)) throw Failure{step, errno};
  return cookie;
}

}  // namespace

uint64_t OwnNetnsCookie() {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.ok()) throw Failure{"netns cookie", errno};
  return Cookie(socket.get(), SO_NETNS_COOKIE, "netns cookie");
}

void InNetns(int fd, const std::function<void()>& work) {
  Failure failure = {"enter netns", 0};
  try {
    std::thread([&] {
      try {
        if (setns(fd, CLONE_NEWNET)) throw Failure{"enter netns", errno};
        work();
      } catch (const Failure& caught) {
        failure = caught;
      }
    }).join();
  } catch (const std::system_error& caught) {
    // No more threads are allowed.
    throw Failure{"enter netns", caught.code().value()};
  }
  if (failure.error) throw failure;
}

Napi::Value NetnsCookie(const Napi::CallbackInfo& info) {
  const int fd = info[0].As<Napi::Number>();
  try {
    uint64_t cookie = 0;
    if (fd < 0) {
      cookie = OwnNetnsCookie();
    } else {
      InNetns(fd, [&] { cookie = OwnNetnsCookie(); });
    }
    return Napi::Number::New(info.Env(), cookie);
  } catch (const Failure& failure) {
    Throw(info.Env(), failure);
  }
}

Napi::Value SocketCookie(const Napi::CallbackInfo& info) {
  const int fd = info[0].As<Napi::Number>();
  try {
    return Napi::Number::New(info.Env(), Cookie(fd, SO_COOKIE, "socket cookie"));
  } catch (const Failure& failure) {
    Throw(info.Env(), failure);
  }
}

}  // namespace wirespan
