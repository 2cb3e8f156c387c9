// What tcpconnect reports.
import { CONNECTION, ERROR_TYPE, OPENER } from "../../core/plugin/semconv.ts";
import type { AttributeSpecs, Signals } from "../../core/plugin/signals.ts";

/** Added to the counts by the settings `flows` and `sourcePorts` only. */
export const FLOW = {
  "network.local.address": { ...CONNECTION["network.local.address"], requirement: "opt_in" },
  "network.local.port": { ...CONNECTION["network.local.port"], requirement: "opt_in" },
  "network.peer.address": { ...CONNECTION["network.peer.address"], requirement: "opt_in" },
  "network.peer.port": { ...CONNECTION["network.peer.port"], requirement: "opt_in" },
} as const satisfies AttributeSpecs;

/** Added to the span by the setting `dns`. */
export const DNS = {
  "dns.question.name": {
    type: "string",
    requirement: "opt_in",
    description:
      "The name whose DNS lookup by the process returned the address it connects to; absent if there was no lookup, or if its answer has expired (setting `dns`).",
  },
  "wirespan.dns.answer.age": {
    type: "double",
    requirement: "opt_in",
    description: "Time from the DNS answer to connect(), seconds (setting `dns`).",
  },
} as const satisfies AttributeSpecs;

export const signals = {
  attempts: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.connect.attempts",
    unit: "{attempt}",
    description: "Completed attempts to connect, by outcome.",
    attributes: { ...OPENER, ...ERROR_TYPE, ...FLOW },
  },
} as const satisfies Signals;
