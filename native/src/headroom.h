#pragma once

namespace wirespan {

// Descriptors that one load may count on. libbpf hides that there are none left: it retries a map
// without its types, which is EINVAL for many, and takes a probe that got none for a feature that
// this kernel lacks, for good.
class Headroom {
 public:
  // Throws EMFILE if `needed` are not there beside those that loads on other threads count on.
  explicit Headroom(int needed);
  ~Headroom();
  Headroom(const Headroom&) = delete;
  Headroom& operator=(const Headroom&) = delete;

 private:
  const int needed_;
};

}  // namespace wirespan
