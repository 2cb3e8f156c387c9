import { TIMEOUTS } from "../../test/support/dashboard-traffic.ts";
import { type Known, type Range, seen, type Table, within } from "./known.ts";

const at = (values: readonly number[], q: number): number => values[Math.floor(q * (values.length - 1))]!;

/** It cannot take longer than the program's own connect(). */
const upTo = (seconds: number): Range => [1e-6, 2.1 * seconds];

const anything = { each: [0, 5] } as const;

export const latency: Table = (known: Known) => ({
  "Time to connect": [
    [{ of: { service_name: "pcli" }, total: upTo(at(known.connects, 0.6)) }, anything],
    [{ of: { service_name: "pcli" }, total: upTo(at(known.connects, 1)) }, anything],
  ],
  "SYNs and SYN-ACKs retransmitted": [
    [
      {
        of: { service_name: "pcli", wirespan_tcp_retransmit_type: "syn" },
        total: seen(known.a["TcpExt.TCPSynRetrans"]!),
      },
      {
        of: { wirespan_tcp_retransmit_type: "synack" },
        total: seen(known.b["TcpExt.TCPSynRetrans"] ?? 0),
        orAbsent: "a full accept queue accepts connections whose SYN it has accepted",
      },
      { each: [0, 0] },
    ],
  ],
  "Time until accept()": [
    // emfile makes a connection wait on purpose.
    [{ of: { service_name: "psrv" }, total: [1e-6, 0.5] }, anything],
    [{ of: { service_name: "psrv" }, total: [1e-6, 2] }, anything],
  ],
  "How long failures take": [
    [
      { of: { service_name: "pcli", error_type: "timed_out" }, total: within(3, 3.5) },
      { of: { service_name: "pcli", error_type: "connection_refused" }, total: [1e-6, 0.5] },
      { of: { service_name: "pcli", error_type: "aborted" }, total: within(0.9, 4) },
      anything,
    ],
  ],
  "Round-trip time": [
    // The acknowledgement of the last segment may arrive with the server's own FIN, 20 ms later.
    [{ of: { service_name: "pcli" }, total: within(5e-6, 0.02) }, anything],
    [{ of: { service_name: "pcli" }, total: within(5e-6, 0.5) }, anything],
  ],
  "Lifetime of connections": [
    [
      {
        of: { service_name: "pcli" },
        // It ends with the server's own FIN, 20 ms after the client's close().
        total: within(at(known.lifetimes, 0.05), at(known.lifetimes, 1) + 0.02),
      },
      { each: [1e-5, 600] },
    ],
    [{ of: { service_name: "pcli" }, total: within(1, TIMEOUTS + 1) }, { each: [1e-5, 600] }],
  ],
  "Time in each state": [
    [
      { of: { service_name: "pcli", network_connection_state: "syn_sent" }, total: within(0.9, 4) },
      {
        of: { service_name: "pcli", network_connection_state: "established" },
        total: within(at(known.lifetimes, 0.5), 4),
      },
      { each: [0, 70] },
    ],
  ],
});
