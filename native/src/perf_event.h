#pragma once

#include <bpf/libbpf.h>

#include <string>

#include "fd.h"

struct perf_event_attr;

namespace wirespan {

// A perf event for BPF to run on; not ok() with errno set if the kernel refuses it.
Fd OpenPerfEvent(perf_event_attr& attributes);

// A tracepoint's perf event; not ok() with errno set if there is none. `name` is `category/event`.
// Does not need a mounted tracefs.
Fd OpenTracepoint(const std::string& name);

// Null with errno set on failure.
bpf_link* AttachTracepoint(const bpf_program* program, const std::string& name);

}  // namespace wirespan
