// What tcpconnlat reports.
import { ERROR_TYPE, FASTOPEN, OPENER } from "../../core/plugin/semconv.ts";
import type { AttributeSpecs, Signals } from "../../core/plugin/signals.ts";

/** Added to the span of the handshake. */
export const HANDSHAKE = {
  "wirespan.tcp.syn.retransmits": {
    type: "int",
    requirement: "required",
    description: "SYNs that were retransmitted; the span's duration includes the waits before them.",
  },
  "wirespan.tcp.rtt.smoothed": {
    type: "double",
    requirement: "conditional",
    description:
      "The handshake's round-trip time, without waits, seconds; absent if a SYN was retransmitted, since the answer may be to either SYN.",
  },
  ...FASTOPEN,
} as const satisfies AttributeSpecs;

export const signals = {
  duration: {
    signal: "metric",
    instrument: "histogram",
    name: "wirespan.tcp.connect.duration",
    unit: "s",
    description: "Time from the first SYN to the outcome, retransmissions included.",
    attributes: { ...OPENER, ...ERROR_TYPE },
  },
} as const satisfies Signals;
