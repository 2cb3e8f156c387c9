#include "perf_event.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdlib>

#include "kernel_fs.h"

namespace wirespan {
namespace {

// The root of tracefs: where it is mounted, otherwise our own mount, which is visible in no
// namespace.
Fd OpenTracefs() {
  for (const char* path : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    Fd root(open(path, O_PATH | O_CLOEXEC));
    // Not access(), which ignores the capabilities of an ordinary user.
    if (root.ok() && Fd(openat(root.get(), "events", O_PATH | O_CLOEXEC)).ok()) return root;
  }
  return MountDetached("tracefs");
}

// The kernel's number of a tracepoint, -1 with errno set.
long TracepointId(const std::string& name) {
  const Fd root = OpenTracefs();
  if (!root.ok()) return -1;
  const Fd file(openat(root.get(), ("events/" + name + "/id").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.ok()) return -1;
  char text[32] = "";
  if (read(file.get(), text, sizeof(text) - 1) <= 0) return -1;
  return strtol(text, nullptr, 10);
}

}  // namespace

Fd OpenPerfEvent(perf_event_attr& attributes) {
  attributes.size = sizeof(attributes);
  // BPF on a perf event of this type runs on every CPU, whichever one the event was opened for.
  return Fd(
      static_cast<int>(syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC)));
}

Fd OpenTracepoint(const std::string& name) {
  const long id = TracepointId(name);
  if (id < 0) return Fd();
  perf_event_attr attributes = {};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.config = id;
  return OpenPerfEvent(attributes);
}

bpf_link* AttachTracepoint(const bpf_program* program, const std::string& name) {
  Fd event = OpenTracepoint(name);
  if (!event.ok()) return nullptr;
  bpf_link* link = bpf_program__attach_perf_event(program, event.get());
  if (link) event.release();
  return link;
}

}  // namespace wirespan
