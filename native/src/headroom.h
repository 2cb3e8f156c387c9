#pragma once

namespace wirespan {

// Descriptors that a load needs. libbpf hides that none are left: it retries a map without its
// types, which is EINVAL for many, and permanently considers a feature missing whose probe got no
// descriptor.
class Headroom {
 public:
  // Throws EMFILE if `needed` are not available in addition to those reserved by loads on other
  // threads.
  explicit Headroom(int needed);
  ~Headroom();
  Headroom(const Headroom&) = delete;
  Headroom& operator=(const Headroom&) = delete;

 private:
  const int needed_;
};

}  // namespace wirespan
