#include "datagram.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <string>

#include "error.h"
#include "fd.h"

namespace wirespan {
namespace {

// Maximum time that the event loop waits for a receiver whose queue is full.
constexpr timeval kPatience = {.tv_sec = 1, .tv_usec = 0};

// Throws Failure.
void Send(const std::string& address, const std::string& text) {
  sockaddr_un to = {};
  to.sun_family = AF_UNIX;
  // A path ends with a zero byte, an abstract name with the address.
  const bool is_abstract = address.starts_with('@');
  if (address.size() + !is_abstract > sizeof(to.sun_path))
    throw Failure{"send datagram", ENAMETOOLONG};
  address.copy(to.sun_path, address.size());
  if (is_abstract) to.sun_path[0] = '\0';
  const socklen_t length = offsetof(sockaddr_un, sun_path) + address.size() + !is_abstract;
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.ok()) throw Failure{"send datagram", errno};
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
  if (sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&to), length) < 0)
    throw Failure{"send datagram", errno};
}

}  // namespace

Napi::Value SendDatagram(const Napi::CallbackInfo& info) {
  try {
    Send(info[0].As<Napi::String>(), info[1].As<Napi::String>());
    return info.Env().Undefined();
  } catch (const Failure& failure) {
    Throw(info.Env(), failure);
  }
}

}  // namespace wirespan
