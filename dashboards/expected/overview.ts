import { ABORTED, REFUSALS, RESETS, STEADY_RATE, TIMEOUTS } from "../../test/support/dashboard-traffic.ts";
import { about, near, type Table } from "./known.ts";

const FAILURES = REFUSALS + TIMEOUTS + ABORTED;

export const overview: Table = ({ connected, accepted, sent, received, seconds }) => ({
  "Connections opened": [
    [
      { of: { service_name: "pcli" }, total: near((connected + FAILURES) / seconds) },
      { of: { service_name: "steady" }, total: about(STEADY_RATE) },
      { each: [0, 1] },
    ],
  ],
  "Connections accepted": [
    [
      { of: { service_name: "psrv" }, total: near(accepted / seconds) },
      { of: { service_name: "steadysrv" }, total: about(STEADY_RATE) },
      { each: [0, 1] },
    ],
  ],
  "Connections that ended, by reason": [
    [
      { of: { service_name: "pcli", wirespan_tcp_close_reason: "refused" }, total: near(REFUSALS) },
      { of: { service_name: "pcli", wirespan_tcp_close_reason: "timeout" }, total: near(TIMEOUTS) },
      { of: { service_name: "pcli", wirespan_tcp_close_reason: "rst_sent" }, total: near(RESETS) },
      { of: { service_name: "pcli" }, total: near(connected + FAILURES) },
      { of: { service_name: "psrv" }, total: near(connected) },
      { of: { service_name: "steady" }, total: about(STEADY_RATE * seconds) },
      { each: [0, 2 * STEADY_RATE * seconds] },
    ],
  ],
  "Connections to and from subnets": [
    [
      {
        of: { wirespan_subnet_name: "10.0.0.0/8", wirespan_connection_direction: "outbound" },
        total: about(STEADY_RATE + connected / seconds),
      },
      {
        of: { wirespan_subnet_name: "10.0.0.0/8", wirespan_connection_direction: "inbound" },
        total: about(STEADY_RATE + connected / seconds),
      },
      { each: [0, 0] },
    ],
  ],
  "Failed attempts to connect": [
    [
      { of: { service_name: "pcli", error_type: "connection_refused" }, total: near(REFUSALS) },
      { of: { service_name: "pcli", error_type: "timed_out" }, total: near(TIMEOUTS) },
      { of: { service_name: "pcli", error_type: "aborted" }, total: near(ABORTED) },
    ],
  ],
  "Share of attempts that fail": [
    [{ of: { service_name: "pcli" }, total: near(FAILURES / (connected + FAILURES)) }],
  ],
  "Payload sent and received": [
    [
      { of: { service_name: "pcli", network_io_direction: "transmit" }, total: near(sent / seconds) },
      { of: { service_name: "pcli", network_io_direction: "receive" }, total: near(received / seconds) },
      { of: { service_name: "steady", network_io_direction: "transmit" }, total: about(STEADY_RATE) },
      { each: [0, 1e5] },
    ],
  ],
  "Processes with the most traffic": [
    [
      // For a process that existed only within the window, a store may not know the first bytes, or divide by its lifetime.
      {
        of: { process_executable_name: "pcli" },
        total: [(0.2 * sent) / seconds, sent + received],
      },
      { each: [0, sent + received] },
    ],
  ],
  "Payload by subnet": [
    [
      {
        of: { wirespan_subnet_name: "10.0.0.0/8", network_io_direction: "transmit" },
        // In addition to curl's downloads.
        total: [
          0.95 * (STEADY_RATE + (sent + received) / seconds),
          1.5 * (STEADY_RATE + (sent + received) / seconds),
        ],
      },
      { each: [0, 1e5] },
    ],
  ],
  "Sockets by state": [
    [
      { of: { network_connection_state: "established" }, total: [4, 60] },
      { of: { network_connection_state: "listen" }, total: [4, 1000] },
      { each: [0, 1000] },
    ],
  ],
});
