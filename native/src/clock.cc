#include "clock.h"

#include <bpf/bpf.h>
#include <time.h>

#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <limits>

#include "fd.h"

namespace wirespan {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int kSamples = 16;

int64_t Now(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

// Writes the boot clock, as programs read it, to its context.
constexpr bpf_insn kReadBootClock[] = {
    {.code = BPF_ALU64 | BPF_MOV | BPF_X,
     .dst_reg = BPF_REG_6,
     .src_reg = BPF_REG_1,
     .off = 0,
     .imm = 0},
    {.code = BPF_JMP | BPF_CALL,
     .dst_reg = 0,
     .src_reg = 0,
     .off = 0,
     .imm = BPF_FUNC_ktime_get_boot_ns},
    {.code = BPF_STX | BPF_MEM | BPF_DW,
     .dst_reg = BPF_REG_6,
     .src_reg = BPF_REG_0,
     .off = 0,
     .imm = 0},
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
    {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
};

// Offset of this process's boot clock from the kernel's. /proc/self/timens_offsets is of no use: it
// shows the namespace of future children.
int64_t MeasureShift() {
  // Starting a program takes some microseconds; a namespace's offset is whole seconds.
  constexpr int64_t kNone = 1'000'000;
  bpf_prog_load_opts load = {};
  load.sz = sizeof(load);
  load.prog_flags = BPF_F_SLEEPABLE;
  const Fd program(bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "wirespan_clock", "GPL", kReadBootClock,
                                 std::size(kReadBootClock), &load));
  if (!program.ok()) return 0;
  int64_t tightest = std::numeric_limits<int64_t>::max();
  int64_t shift = 0;
  for (int i = 0; i < kSamples; i++) {
    uint64_t kernel = 0;
    bpf_test_run_opts run = {};
    run.sz = sizeof(run);
    run.ctx_in = &kernel;
    run.ctx_size_in = sizeof(kernel);
    const int64_t before = Now(CLOCK_BOOTTIME);
    if (bpf_prog_test_run_opts(program.get(), &run)) return 0;
    const int64_t took = Now(CLOCK_BOOTTIME) - before;
    if (took >= tightest) continue;
    tightest = took;
    shift = before + took / 2 - static_cast<int64_t>(kernel);
  }
  return std::abs(shift) < kNone ? 0 : shift;
}

// A process stays in its time namespace.
int64_t Shift() {
  static const int64_t shift = MeasureShift();
  return shift;
}

}  // namespace

Napi::Value BootOffset(const Napi::CallbackInfo& info) {
  Shift();
  int64_t tightest = std::numeric_limits<int64_t>::max();
  int64_t offset = 0;
  for (int i = 0; i < kSamples; i++) {
    const int64_t before = Now(CLOCK_BOOTTIME);
    const int64_t wall = Now(CLOCK_REALTIME);
    const int64_t took = Now(CLOCK_BOOTTIME) - before;
    if (took >= tightest) continue;
    tightest = took;
    offset = wall - (before + took / 2 - Shift());
  }
  auto result = Napi::Object::New(info.Env());
  result["sec"] = Napi::Number::New(info.Env(), offset / kSecond);
  result["nsec"] = Napi::Number::New(info.Env(), offset % kSecond);
  return result;
}

Napi::Value BootNow(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), Now(CLOCK_BOOTTIME) - Shift());
}

Napi::Value BootShift(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), Shift());
}

}  // namespace wirespan
