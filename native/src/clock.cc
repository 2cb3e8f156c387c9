#include "clock.h"

#include <time.h>

#include <cstdint>
#include <limits>

namespace wirespan {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int kSamples = 16;

int64_t Now(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

}  // namespace

Napi::Value BootOffset(const Napi::CallbackInfo& info) {
  int64_t tightest = std::numeric_limits<int64_t>::max();
  int64_t offset = 0;
  for (int i = 0; i < kSamples; i++) {
    const int64_t before = Now(CLOCK_BOOTTIME);
    const int64_t wall = Now(CLOCK_REALTIME);
    const int64_t took = Now(CLOCK_BOOTTIME) - before;
    if (took >= tightest) continue;
    tightest = took;
    offset = wall - (before + took / 2);
  }
  auto result = Napi::Object::New(info.Env());
  result["sec"] = Napi::Number::New(info.Env(), offset / kSecond);
  result["nsec"] = Napi::Number::New(info.Env(), offset % kSecond);
  return result;
}

Napi::Value BootNow(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), Now(CLOCK_BOOTTIME));
}

}  // namespace wirespan
