#pragma once

#include <napi.h>

#include <string>

namespace wirespan {

// Takes over libbpf's messages, which would otherwise go to stderr.
void CaptureMessages();

// Collects libbpf's warnings on this thread during its lifetime; collectors nest.
class Warnings {
 public:
  Warnings();
  ~Warnings();
  Warnings(const Warnings&) = delete;
  Warnings& operator=(const Warnings&) = delete;

  const std::string& text() const { return text_; }
  void Add(const std::string& line) { text_ += line; }

 private:
  std::string text_;
  Warnings* outer_;
};

// onMessage(listener | undefined)
void OnMessage(const Napi::CallbackInfo& info);

}  // namespace wirespan
