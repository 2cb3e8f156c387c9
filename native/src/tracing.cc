#include "tracing.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <mutex>
#include <vector>

#include "error.h"

namespace wirespan {
namespace {

thread_local const TracingTargets* loading = nullptr;

// In bpf/include/wirespan/packet_view.h.
constexpr int kDynptrFromSkb = 0x7b7f0001;

int PutFunction(bpf_program* program, int id) {
  const bpf_insn* begin = bpf_program__insns(program);
  std::vector<bpf_insn> code(begin, begin + bpf_program__insn_cnt(program));
  for (bpf_insn& each : code) {
    if (each.code != (BPF_JMP | BPF_CALL) || each.src_reg || each.imm != kDynptrFromSkb) continue;
    each.src_reg = BPF_PSEUDO_KFUNC_CALL;
    each.imm = id;
  }
  return bpf_program__set_insns(program, code.data(), code.size());
}

// A program that libbpf considers to be of another type, so that it does not read the kernel's
// types for it; it gets its real type at the moment of its load.
int Prepare(bpf_program* program, bpf_prog_load_opts* options, long) {
  if (!loading) return -EINVAL;
  options->attach_btf_id = loading->Id(program);
  // Without it the kernel refuses programs that call it.
  if (loading->dynptr_from_skb() > 0) {
    const int error = PutFunction(program, loading->dynptr_from_skb());
    if (error) return error;
  }
  return bpf_program__set_type(program, BPF_PROG_TYPE_TRACING);
}

bool IsOurs(const bpf_program* program) {
  switch (bpf_program__expected_attach_type(program)) {
    case BPF_TRACE_RAW_TP:
    case BPF_TRACE_FENTRY:
    case BPF_TRACE_FEXIT:
    case BPF_TRACE_ITER:
      return true;
    default:
      return false;
  }
}

}  // namespace

void RegisterTracingSections() {
  static std::once_flag once;
  std::call_once(once, [] {
    libbpf_prog_handler_opts options = {};
    options.sz = sizeof(options);
    options.prog_prepare_load_fn = &Prepare;
    const auto add = [&](const char* section, bpf_attach_type attach) {
      libbpf_register_prog_handler(section, BPF_PROG_TYPE_RAW_TRACEPOINT, attach, &options);
    };
    add("tp_btf+", BPF_TRACE_RAW_TP);
    add("fentry+", BPF_TRACE_FENTRY);
    add("fexit+", BPF_TRACE_FEXIT);
    add("iter+", BPF_TRACE_ITER);
  });
}

TracingTargets::TracingTargets(const KernelTypes& kernel, const bpf_object* object)
    : dynptr_from_skb_(kernel.Id("bpf_dynptr_from_skb", BTF_KIND_FUNC)) {
  bpf_program* program;
  bpf_object__for_each_program(program, object) {
    if (!bpf_program__autoload(program) || !IsOurs(program)) continue;
    const int id = kernel.AttachId(bpf_program__section_name(program));
    if (id < 0) throw Failure{"load", id, bpf_program__name(program)};
    ids_[program] = id;
  }
  loading = this;
}

TracingTargets::~TracingTargets() { loading = nullptr; }

}  // namespace wirespan
