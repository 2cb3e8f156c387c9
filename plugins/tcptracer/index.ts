// tcptracer: connect, accept and close of TCP connections, each connection one trace.
import { ACCEPT_PROBES, ACCEPT_SETTING } from "../../core/plugin/hooks/accept.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { skeleton } from "./tcptracer.skel.ts";
import { trace } from "./trace.ts";

export default plugin({
  name: "tcptracer",
  summary: "Connect, accept and close of each established TCP connection, as one trace.",

  config: { acceptHook: ACCEPT_SETTING },

  skeleton,
  probes: {
    ...ACCEPT_PROBES,
    "established and closed": { programs: ["on_change"] },
  },
  spans: { connect: "plain", accept: "plain", connection: "plain" },
  signals: {},
  start: () => ({}),

  trace,
});
