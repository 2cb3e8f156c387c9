#pragma once

#include <bpf/libbpf.h>

#include <map>

#include "kernel_types.h"

namespace wirespan {

// libbpf finds what a program of these sections attaches to by reading the kernel's types, some 10
// ms for every object. With handlers of our own it takes the answer from types that are read once.
void RegisterTracingSections();

// What an object's programs attach to, for as long as it is loaded on this thread.
class TracingTargets {
 public:
  // Throws ENOENT with the name of a program that this kernel has no hook for.
  TracingTargets(const KernelTypes& kernel, const bpf_object* object);
  ~TracingTargets();
  TracingTargets(const TracingTargets&) = delete;
  TracingTargets& operator=(const TracingTargets&) = delete;

  int Id(const bpf_program* program) const { return ids_.at(program); }

 private:
  std::map<const bpf_program*, int> ids_;
};

}  // namespace wirespan
