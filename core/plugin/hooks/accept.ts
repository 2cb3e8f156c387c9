// How the end of accept() is watched, for the core and for plugins whose programs ACCEPT_PROGRAMS
// (bpf/include/wirespan/hooks/accept.h) defines.
import type { Probe } from "../plugin.ts";
import type { Setting } from "../settings.ts";

/** Plugins that hook it make the core hook it, too. */
export const ACCEPT_EXIT = "tp/syscalls/sys_exit_accept4";

/** Where io_uring says what became of each request. */
export const URING_HOOK = "tp_btf/io_uring_complete";

type Programs = "accept_graft" | "accept4_exit" | "accept_exit" | "accept_uring" | "accept_failed";

const WITHOUT = "when a connection was accepted; its owner is the first process to use it";
const WITHOUT_ACCEPTS = "connections that accept() returns, to whom, and after how long";

/** A plugin's probes; the setting `acceptHook` turns them on. */
export const ACCEPT_PROBES = {
  "accept4() of a connection": {
    programs: ["accept_graft", "accept4_exit"],
    lostWithout: WITHOUT_ACCEPTS,
    degrades: true,
    setting: "acceptHook",
  },
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

/** Of a plugin that tells of calls that fail. */
export const FAILED_ACCEPT_PROBES = {
  "failed accepts": {
    programs: [{ program: "accept_failed", args: 4 }, "accept4_exit"],
    lostWithout: "calls of accept() that fail",
    setting: "acceptHook",
  },
} as const satisfies Record<string, Probe<Programs>>;

export const ACCEPT_SETTING = {
  doc: "Watch the return of accept(), which shows who accepted, and when. If the kernel allows no fentry programs, this uses tracepoints that slow every system call of the host, and every completion of io_uring, a little.",
  format: "boolean",
  default: true,
} as const satisfies Setting;

/** The core's own: its programs run before the plugins', and its emitters after them. */
export const CORE_ACCEPT_PROBES = {
  "accept4() of a connection": { programs: ["on_graft", "on_accept4_exit"], lostWithout: WITHOUT },
  "accept() of a connection": { programs: ["on_graft", "on_accept_exit"], lostWithout: WITHOUT },
  "accepts by io_uring": {
    programs: ["on_graft", { program: "on_uring_result", args: 5 }, { program: "on_uring_entry", args: 3 }],
    lostWithout: WITHOUT,
  },
  "failed accepts": {
    programs: [{ program: "on_accept_failed", args: 4 }, "on_accept4_exit"],
    lostWithout: "calls of accept() that fail",
  },
  "spans of accept4()": { programs: ["on_graft_emit", "on_accept4_emit"], lostWithout: WITHOUT },
  "spans of accept()": { programs: ["on_graft_emit", "on_accept_emit"], lostWithout: WITHOUT },
  "spans of accepts by io_uring": { programs: ["on_graft_emit", "on_uring_emit"], lostWithout: WITHOUT },
} as const satisfies Record<string, Probe>;

/** Of programs on one tracepoint the first to be attached runs first; on one function, the last. */
export const ATTACHED_AFTER_PLUGINS: readonly string[] = [
  "on_accept4_emit",
  "on_accept_emit",
  "on_graft",
  "on_accept_failed",
];
