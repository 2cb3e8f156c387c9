#pragma once

#include <bpf/libbpf.h>

#include <map>

#include "kernel_types.h"

namespace wirespan {

// libbpf finds the attach target of a program of these sections, and a kernel function that it
// calls, by reading the kernel's types, some 10 ms for every object. Our own handlers take the
// answers from types that are read once.
void RegisterTracingSections();

// The attach targets of an object's programs, and the function that they may call, while it is
// loaded on this thread.
class TracingTargets {
 public:
  // Throws ENOENT with the name of a program whose hook this kernel does not have.
  TracingTargets(const KernelTypes& kernel, const bpf_object* object);
  ~TracingTargets();
  TracingTargets(const TracingTargets&) = delete;
  TracingTargets& operator=(const TracingTargets&) = delete;

  int Id(const bpf_program* program) const { return ids_.at(program); }
  // Negative if this kernel does not have it.
  int dynptr_from_skb() const { return dynptr_from_skb_; }

 private:
  std::map<const bpf_program*, int> ids_;
  const int dynptr_from_skb_;
};

}  // namespace wirespan
