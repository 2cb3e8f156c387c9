#include "statistics.h"

#include <bpf/bpf.h>

#include <cerrno>

#include "environment.h"
#include "error.h"

namespace wirespan {

Napi::Function Statistics::Define(Napi::Env env) {
  return DefineClass(env, "Statistics", {InstanceMethod<&Statistics::Close>("close")});
}

Napi::Value Statistics::Enable(const Napi::CallbackInfo& info) {
  return Environment::Of(info.Env()).statistics.New({});
}

Statistics::Statistics(const Napi::CallbackInfo& info)
    : ObjectWrap(info), fd_(bpf_enable_stats(BPF_STATS_RUN_TIME)) {
  if (!fd_.ok()) Throw(info.Env(), {"enable statistics", errno});
}

void Statistics::Close(const Napi::CallbackInfo&) { fd_ = Fd(); }

}  // namespace wirespan
