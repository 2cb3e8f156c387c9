#pragma once

#include <bpf/libbpf.h>

#include <map>

#include "kernel_types.h"

namespace wirespan {

// libbpf finds the attach target of a program of these sections by reading the kernel's types, some
// 10 ms for every object. Our own handlers take the answer from types that are read once.
void RegisterTracingSections();

// The attach targets of an object's programs, while it is loaded on this thread.
class TracingTargets {
 public:
  // Throws ENOENT with the name of a program whose hook this kernel does not have.
  TracingTargets(const KernelTypes& kernel, const bpf_object* object);
  ~TracingTargets();
  TracingTargets(const TracingTargets&) = delete;
  TracingTargets& operator=(const TracingTargets&) = delete;

  int Id(const bpf_program* program) const { return ids_.at(program); }

 private:
  std::map<const bpf_program*, int> ids_;
};

}  // namespace wirespan
