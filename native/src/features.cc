#include "features.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "environment.h"
#include "error.h"
#include "fd.h"
#include "kernel_fs.h"
#include "perf_event.h"

namespace wirespan {
namespace {

// return 0
constexpr bpf_insn kReturnZero[] = {
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
    {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
};

// A program type, and a hook for it that every kernel has: a type in BTF for program types that
// name their hook at load, the name in perf for the others.
struct Kind {
  const char* name;
  bpf_prog_type type;
  bpf_attach_type attach;
  const char* hook;
  uint32_t hook_type;
};

constexpr Kind kKinds[] = {
    {"tp_btf", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "btf_trace_inet_sock_set_state",
     BTF_KIND_TYPEDEF},
    {"fentry", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, "inet_csk_accept", BTF_KIND_FUNC},
    {"iter", BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, "bpf_iter_task", BTF_KIND_FUNC},
    {"kprobe", BPF_PROG_TYPE_KPROBE, {}, "inet_csk_accept", 0},
    {"tracepoint", BPF_PROG_TYPE_TRACEPOINT, {}, "sock/inet_sock_set_state", 0},
};

// The perf event source for kprobes; -1 with errno set if the kernel has none.
int KprobeSource() {
  const Fd file(open("/sys/bus/event_source/devices/kprobe/type", O_RDONLY | O_CLOEXEC));
  char text[16] = "";
  if (!file.ok() || read(file.get(), text, sizeof(text) - 1) <= 0) return -1;
  return atoi(text);
}

Fd OpenKprobe(const char* function) {
  const int source = KprobeSource();
  if (source < 0) return Fd();
  perf_event_attr attributes = {};
  attributes.type = source;
  attributes.kprobe_func = reinterpret_cast<uintptr_t>(function);
  return OpenPerfEvent(attributes);
}

// What attaching requires in addition to a loaded program; false with errno set if the kernel
// refuses it.
bool Attaches(const Kind& kind, int program) {
  if (kind.type == BPF_PROG_TYPE_KPROBE) return OpenKprobe(kind.hook).ok();
  if (kind.type == BPF_PROG_TYPE_TRACEPOINT) return OpenTracepoint(kind.hook).ok();
  if (kind.attach == BPF_TRACE_ITER) return true;
  return Fd(bpf_raw_tracepoint_open(nullptr, program)).ok();
}

// 0, or the errno with which the kernel refuses this type.
int Try(Napi::Env env, const Kind& kind) {
  bpf_prog_load_opts options = {};
  options.sz = sizeof(options);
  options.expected_attach_type = kind.attach;
  if (kind.type == BPF_PROG_TYPE_TRACING) {
    const int id = Environment::Of(env).kernel_types.Get(env)->Id(kind.hook, kind.hook_type);
    if (id < 0) return -id;
    options.attach_btf_id = id;
  }
  const Fd program(bpf_prog_load(kind.type, "wirespan_try", "GPL", kReturnZero,
                                 std::size(kReturnZero), &options));
  return program.ok() && Attaches(kind, program.get()) ? 0 : errno;
}

// `none`, `integrity` or `confidentiality`: the word in brackets.
std::string Lockdown() {
  const Fd root(open("/sys/kernel/security", O_PATH | O_CLOEXEC));
  Fd file(openat(root.get(), "lockdown", O_RDONLY | O_CLOEXEC));
  if (!file.ok()) {
    // Kept, because a start asks several times, and a mount takes a millisecond.
    static const Fd own = MountDetached("securityfs");
    file = Fd(openat(own.get(), "lockdown", O_RDONLY | O_CLOEXEC));
  }
  char text[64] = "";
  if (!file.ok() || read(file.get(), text, sizeof(text) - 1) <= 0) return "unknown";
  const std::string line(text);
  const size_t open = line.find('[');
  const size_t close = line.find(']');
  if (open == std::string::npos || close == std::string::npos) return "unknown";
  return line.substr(open + 1, close - open - 1);
}

}  // namespace

Napi::Value KernelFeatures(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  utsname system = {};
  uname(&system);
  const std::string version =
      std::to_string(libbpf_major_version()) + "." + std::to_string(libbpf_minor_version());
  auto result = Napi::Object::New(env);
  result["kernel"] = Napi::String::New(env, system.release);
  result["libbpf"] = Napi::String::New(env, version);
  result["lockdown"] = Napi::String::New(env, Lockdown());
  result["cpus"] = Napi::Number::New(env, libbpf_num_possible_cpus());
  return result;
}

Napi::Value TryKind(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string name = info[0].As<Napi::String>();
  for (const Kind& kind : kKinds) {
    if (name != kind.name) continue;
    const int error = Try(env, kind);
    return error ? Napi::String::New(env, ErrorName(error)) : env.Undefined();
  }
  Throw(env, {"try " + name, EINVAL});
}

}  // namespace wirespan
