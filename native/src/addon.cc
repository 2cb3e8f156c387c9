// Registration only: the functions of native/index.ts, and the classes behind them.
#include <napi.h>

#include "allocator.h"
#include "clock.h"
#include "datagram.h"
#include "environment.h"
#include "features.h"
#include "kernel_questions.h"
#include "links.h"
#include "load.h"
#include "log.h"
#include "map.h"
#include "object.h"
#include "ring.h"
#include "sockets.h"
#include "statistics.h"
#include "tracing.h"
#include "waker.h"

namespace wirespan {
namespace {

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  CaptureMessages();
  RegisterTracingSections();
  // The kernel's types take 12 MB for a moment.
  LimitKeptMemory();
  auto* environment = new Environment;
  env.SetInstanceData(environment);
  environment->object = Napi::Persistent(Object::Define(env));
  environment->map = Napi::Persistent(Map::Define(env));
  environment->ring = Napi::Persistent(Ring::Define(env));
  environment->waker = Napi::Persistent(Waker::Define(env));
  environment->statistics = Napi::Persistent(Statistics::Define(env));

  exports["load"] = Napi::Function::New<&Load>(env, "load");
  exports["openRing"] = Napi::Function::New<&Ring::OpenRing>(env, "openRing");
  exports["createWaker"] = Napi::Function::New<&Waker::Create>(env, "createWaker");
  exports["features"] = Napi::Function::New<&KernelFeatures>(env, "features");
  exports["tryKind"] = Napi::Function::New<&TryKind>(env, "tryKind");
  exports["tracepointArity"] = Napi::Function::New<&TracepointArity>(env, "tracepointArity");
  exports["functionArity"] = Napi::Function::New<&FunctionArity>(env, "functionArity");
  exports["kernelEnum"] = Napi::Function::New<&KernelEnum>(env, "kernelEnum");
  exports["bootOffset"] = Napi::Function::New<&BootOffset>(env, "bootOffset");
  exports["bootNow"] = Napi::Function::New<&BootNow>(env, "bootNow");
  exports["bootShift"] = Napi::Function::New<&BootShift>(env, "bootShift");
  exports["netnsCookie"] = Napi::Function::New<&NetnsCookie>(env, "netnsCookie");
  exports["netnsLinks"] = Napi::Function::New<&NetnsLinks>(env, "netnsLinks");
  exports["socketCookie"] = Napi::Function::New<&SocketCookie>(env, "socketCookie");
  exports["sendDatagram"] = Napi::Function::New<&SendDatagram>(env, "sendDatagram");
  exports["enableStats"] = Napi::Function::New<&Statistics::Enable>(env, "enableStats");
  exports["giveBackFreed"] = Napi::Function::New(
      env, [](const Napi::CallbackInfo&) { GiveBackFreed(); }, "giveBackFreed");
  exports["onMessage"] = Napi::Function::New<&OnMessage>(env, "onMessage");
  return exports;
}

NODE_API_MODULE(wirespan, Initialize)

}  // namespace
}  // namespace wirespan
