#pragma once

#include <bpf/btf.h>

#include <string>

#include "fd.h"
#include "kernel_types.h"

namespace wirespan {

// A file with those of the kernel's types that an object can be relocated against. libbpf searches
// all given types for each type that a program reads, which takes no time with some 300 types.
// Every member throws a Failure.
class CoreTypes {
 public:
  // Empty at first.
  CoreTypes();

  std::string path() const { return "/proc/self/fd/" + std::to_string(file_.get()); }

  // Writes the types that `local`, the object's own BTF, has by name, and all that they contain by
  // value.
  void Fill(const KernelTypes& kernel, const btf* local) const;

 private:
  Fd file_;
};

}  // namespace wirespan
