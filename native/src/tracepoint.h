#pragma once

#include <bpf/libbpf.h>

#include <string>

#include "fd.h"

namespace wirespan {

// A tracepoint's perf event, open on every CPU; not ok() with errno set where there is none.
// `name` is `category/event`. Needs no mounted tracefs.
Fd OpenTracepoint(const std::string& name);

// Attaches a SEC("tracepoint/category/event") program; null with errno set on failure.
bpf_link* AttachTracepoint(const bpf_program* program);

}  // namespace wirespan
