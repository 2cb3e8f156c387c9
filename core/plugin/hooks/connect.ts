// How outcomes of connect() are observed, for plugins whose programs CONNECT_PROGRAMS
// (bpf/include/wirespan/hooks/connect.h) defines. Tests: plugins/tcpconnlat/tcpconnlat.kernel.test.ts.
import type { Probe } from "../plugin.ts";
import type { Setting } from "../settings.ts";

type Programs = "on_handshake" | "on_failed_at_once";

/** A plugin's probes; the setting `failedAtOnce` turns the second one on. */
export const CONNECT_PROBES = {
  "ends of handshakes": { programs: ["on_handshake"] },
  "attempts that fail at once": {
    programs: ["on_failed_at_once"],
    setting: "failedAtOnce",
    lostWithout: "attempts that fail before the socket's state changes: no route, not permitted",
  },
} as const satisfies Record<string, Probe<Programs>>;

export const FAILED_AT_ONCE_SETTING = {
  doc: "Also report attempts that fail before the socket's state changes (no route, not permitted). This uses the tracepoint at the return of connect(), which slows down every system call of the host a little.",
  format: "boolean",
  default: false,
} as const satisfies Setting;
