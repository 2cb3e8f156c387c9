import { REQUESTS } from "../../test/support/dashboard-traffic.ts";
import { about, type Expected, NONE, near, type Table } from "./known.ts";

/** The test's exporters: `sink` accepts everything, `refusing` nothing, `away` cannot be reached; the others are the stores. */
const by = (name: string) => ({ otel_component_name: name });

export const agent: Table = ({ plugins, seconds, spans, events }) => ({
  "Plugins by state": [
    [{ of: { wirespan_agent_plugin_state: "running" }, total: [plugins, plugins] }, { each: NONE }],
  ],
  "Connections whose end is not reported": [
    [{ of: { error_type: "no_memory" }, total: NONE }, { each: [0, 5] }],
  ],
  "Records lost in the kernel": [[{ each: NONE }]],
  "Events that no program saw": [
    // Some virtual machines do not show every event to programs.
    [{ each: [0, 50] }],
    [{ each: [0, 50], orAbsent: "no interrupt met a program that ran" }],
  ],
  "How full the rings are": [
    [{ each: [0, 0.9] }, { of: { wirespan_plugin_name: "connections" }, each: [0, 0.9] }],
  ],
  "CPU time of the programs": [
    [{ of: { wirespan_plugin_name: "connections" }, total: [1e-6, 1] }, { each: [0, 1] }],
  ],
  "Acknowledged by backends": [
    [{ of: by("sink"), total: about(spans / seconds) }, { each: NONE }],
    [{ of: by("prometheus"), total: [10, 1e5] }, { of: by("sink"), total: [10, 1e5] }, { each: [0, 1e5] }],
    [{ of: by("sink"), total: about(events / seconds) }, { each: NONE }],
  ],
  "Lost on the way to backends": [
    [{ of: { ...by("refusing"), error_type: "rejected" }, total: about(spans) }],
    [{ of: { ...by("refusing"), error_type: "rejected" }, total: [100, 1e6] }],
    [{ of: { ...by("refusing"), error_type: "rejected" }, total: about(events) }],
  ],
  "How full the queues are": [
    [{ of: by("away"), total: [1e-5, 1] }, { of: by("sink"), total: [0, 0.1] }, { each: [0, 0.1] }],
  ],
  "Trace contexts read": [
    [
      ...["transmit", "receive"].map(
        (direction): Expected => ({
          of: { wirespan_context_source: "header", network_io_direction: direction },
          total: near(REQUESTS / seconds),
        }),
      ),
      { each: NONE },
    ],
  ],
  "Trace contexts not read": [
    // A page of the application may not be in memory when the kernel reads it.
    [{ of: { error_type: "unreadable" }, total: [0, REQUESTS] }, { each: NONE }],
  ],
  "Spans in applications' traces": [
    // Each request waited for a handshake.
    [{ total: [0.95 * REQUESTS, 4.5 * REQUESTS] }],
    [{ each: NONE }],
  ],
});
