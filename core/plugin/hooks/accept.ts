// How returns of accept() are observed, by the tracker and by plugins whose programs ACCEPT_PROGRAMS
// (bpf/include/wirespan/hooks/accept.h) defines. Tests: plugins/tcpaccept/tcpaccept.kernel.test.ts.
import type { Probe } from "../plugin.ts";
import type { Setting } from "../settings.ts";

/** If a plugin uses it, the tracker does too. */
export const ACCEPT_EXIT = "tp/syscalls/sys_exit_accept4,syscalls/sys_exit_accept";

/** Has the result of each io_uring request. */
export const URING_HOOK = "tp_btf/io_uring_complete";

type Programs = "accept_graft" | "accept_exit" | "accept_uring" | "accept_failed";

const WITHOUT = "when a connection was accepted; its owner is the first process that uses it";
const WITHOUT_ACCEPTS = "accepted connections, their acceptors, and their time in the queue";

/** A plugin's probes; the setting `acceptHook` turns them on. */
export const ACCEPT_PROBES = {
  "accept() of a connection": {
    programs: ["accept_graft", "accept_exit"],
    lostWithout: WITHOUT_ACCEPTS,
    degrades: true,
    setting: "acceptHook",
  },
  "accepts by io_uring": {
    programs: ["accept_graft", "accept_uring"],
    lostWithout: WITHOUT,
    setting: "acceptHook",
  },
} as const satisfies Record<string, Probe<Programs>>;

/** Probes of a plugin that reports failed calls. */
export const FAILED_ACCEPT_PROBES = {
  "failed accepts": {
    programs: [{ program: "accept_failed", args: 4 }, "accept_exit"],
    lostWithout: "calls of accept() that fail",
    setting: "acceptHook",
  },
} as const satisfies Record<string, Probe<Programs>>;

export const ACCEPT_SETTING = {
  doc: "Observe the return of accept(), which shows which process accepted, and when. If the kernel refuses fentry programs, this uses tracepoints that slow down every system call of the host, and every completion of io_uring, a little.",
  format: "boolean",
  default: true,
} as const satisfies Setting;

/** Probes of the tracker: its programs run before the plugins', and its emitters after them. */
export const CORE_ACCEPT_PROBES = {
  "accept() of a connection": { programs: ["on_graft", "on_accept_exit"], lostWithout: WITHOUT },
  "accepts by io_uring": {
    programs: ["on_graft", { program: "on_uring_result", args: 5 }, { program: "on_uring_entry", args: 3 }],
    lostWithout: WITHOUT,
  },
  "failed accepts": {
    programs: [{ program: "on_accept_failed", args: 4 }, "on_accept_exit"],
    lostWithout: "calls of accept() that fail",
  },
  "spans of accept()": { programs: ["on_graft_emit", "on_accept_emit"], lostWithout: WITHOUT },
  "spans of accepts by io_uring": { programs: ["on_graft_emit", "on_uring_emit"], lostWithout: WITHOUT },
} as const satisfies Record<string, Probe>;

/** Programs on one tracepoint run in the order of attaching; those on one function in the reverse order. */
export const ATTACHED_AFTER_PLUGINS: readonly string[] = ["on_accept_emit", "on_graft", "on_accept_failed"];
