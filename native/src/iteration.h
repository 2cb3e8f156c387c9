#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <string>

#include "error.h"
#include "fd.h"

namespace wirespan {

// Reads an iterator's file to its end on a worker thread.
class Iteration : public Napi::AsyncWorker {
 public:
  // Promise<Uint8Array>
  static Napi::Value Start(Napi::Env env, const std::string& program, Fd file);

 protected:
  void Execute() override;
  void OnOK() override;
  void OnError(const Napi::Error& error) override;

 private:
  struct Free {
    void operator()(uint8_t* bytes) const { free(bytes); }
  };

  Iteration(Napi::Env env, const std::string& program, Fd file);
  void Resize(size_t capacity);

  Napi::Promise::Deferred promise_;
  Fd file_;
  Failure failure_;
  std::unique_ptr<uint8_t, Free> bytes_;
  size_t capacity_ = 0;
  size_t length_ = 0;
};

}  // namespace wirespan
