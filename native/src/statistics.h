#pragma once

#include <napi.h>

#include "fd.h"

namespace wirespan {

// BPF run-time statistics, which the kernel keeps while this is open.
class Statistics : public Napi::ObjectWrap<Statistics> {
 public:
  static Napi::Function Define(Napi::Env env);
  // enableStats()
  static Napi::Value Enable(const Napi::CallbackInfo& info);

  explicit Statistics(const Napi::CallbackInfo& info);

 private:
  void Close(const Napi::CallbackInfo& info);

  Fd fd_;
};

}  // namespace wirespan
