#include "headroom.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <mutex>
#include <utility>
#include <vector>

#include "error.h"
#include "fd.h"

namespace wirespan {
namespace {

// libbpf's probes, and what other threads open temporarily.
constexpr int kSpare = 16;

std::mutex mutex;
int promised = 0;

// 0, or the errno with which one of that many is refused.
int TryToOpen(int count) {
  const Fd first(eventfd(0, EFD_CLOEXEC));
  if (!first.ok()) return errno;
  std::vector<Fd> others;
  while (static_cast<int>(others.size()) + 1 < count) {
    Fd next = Fd::Duplicate(first.get());
    if (!next.ok()) return errno;
    others.push_back(std::move(next));
  }
  return 0;
}

}  // namespace

Headroom::Headroom(int needed) : needed_(needed + kSpare) {
  const std::lock_guard lock(mutex);
  const int error = TryToOpen(promised + needed_);
  if (error) throw Failure{"load", error};
  promised += needed_;
}

Headroom::~Headroom() {
  const std::lock_guard lock(mutex);
  promised -= needed_;
}

}  // namespace wirespan
