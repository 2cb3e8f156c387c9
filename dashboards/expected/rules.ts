import {
  ABORTED,
  ACCEPT_ERRORS,
  REFUSALS,
  RESETS,
  TIMEOUTS,
  TOO_LARGE,
} from "../../test/support/dashboard-traffic.ts";
import { about, type Expected, type Known, near, type Range, seen } from "./known.ts";

const FAILURES = REFUSALS + TIMEOUTS + ABORTED;
const PCLI = { service_name: "pcli" };
const PSRV = { service_name: "psrv" };

type Rules<T> = (known: Known) => Readonly<Record<string, T>>;

/** The share of the payload that was retransmitted; a store may not know a series' first value. */
function retransmittedShare({ a, droppedOut, sent }: Known): Range {
  const bytes = (a["Tcp.RetransSegs"]! - a["TcpExt.TCPSynRetrans"]! - droppedOut) * 1000;
  return [(0.4 * bytes) / sent, (1.25 * bytes) / sent];
}

/** Rules cover five minutes: all rounds, which are alike. */
export const recordingsExpected: Rules<readonly Expected[]> = (known) => {
  const { connected, backlog, waiting } = known;
  const attempts = connected + FAILURES;
  const syns = known.a["TcpExt.TCPSynRetrans"]!;
  return {
    "service:wirespan_tcp_connect_failed:ratio_5m": [
      { of: PCLI, total: about(FAILURES / attempts) },
      { each: [0, 0.9], orAbsent: "only who failed" },
    ],
    "service:wirespan_tcp_syn_retransmits:ratio_5m": [
      { of: PCLI, total: seen(syns / attempts) },
      { each: [0, 0.1] },
    ],
    "service:wirespan_tcp_connection_reset:ratio_5m": [
      { of: PCLI, total: [RESETS / attempts / 1.25, (RESETS + 4) / attempts] },
      { each: [0, 0.2] },
    ],
    "service:wirespan_tcp_retransmit_bytes:ratio_5m": [
      { of: PCLI, total: retransmittedShare(known) },
      { each: [0, 0.01] },
    ],
    "service:wirespan_tcp_connect_duration_seconds:p99_5m": [
      { of: PCLI, total: [1e-6, 2] },
      { each: [1e-7, 2] },
    ],
    "service:wirespan_tcp_accept_duration_seconds:p99_5m": [
      { of: PSRV, total: [1e-6, 2] },
      { each: [1e-7, 2] },
    ],
    "service:wirespan_tcp_connection_rtt_seconds:p50_5m": [
      { of: PCLI, total: [1e-6, 0.1] },
      { each: [1e-7, 1] },
    ],
    "listener:wirespan_tcp_accept_queue:usage_ratio": [
      { of: { server_port: waiting }, total: [1 / backlog, 1 / backlog] },
      { each: [0, 2] },
    ],
    "host:wirespan_softirq_latency_seconds:p99_5m": [
      { of: { wirespan_softirq_vector: "net_rx" }, total: [1e-7, 1] },
      { each: [0, 1] },
    ],
    "host:wirespan_softirq_napi_exhausted:ratio_5m": [{ total: [0, 1] }],
  };
};

/** The increase over all rounds; a store may not know a series' first value. */
const since = (rounds: number, each: number): Range => [near((rounds - 1) * each)[0], near(rounds * each)[1]];

/** `quiet`: no alert, because there is no such fault, or nothing to compare with. */
export const alertsExpected: Rules<readonly Expected[] | "quiet"> = (known) => {
  const { rounds, a, b, connected, droppedIn } = known;
  const attempts = connected + FAILURES;
  const syns = a["TcpExt.TCPSynRetrans"]!;
  return {
    WirespanConnectsFail: [{ of: PCLI, total: about(FAILURES / attempts) }],
    WirespanSynsLost: [{ of: PCLI, total: seen(syns / attempts) }],
    WirespanConnectsSlow: "quiet",
    WirespanAcceptsSlow: "quiet",
    WirespanRoundTripLong: "quiet",
    WirespanSegmentsLost: [{ of: PCLI, total: retransmittedShare(known) }],
    WirespanConnectionsReset: [
      { of: PCLI, total: [RESETS / attempts / 1.25, (RESETS + 4) / attempts] },
      { of: PSRV, each: [0, 0.2] },
    ],
    WirespanAcceptsFail: [
      { of: { ...PSRV, error_type: "too_many_open_files" }, total: since(rounds, ACCEPT_ERRORS) },
    ],
    WirespanListenerRejects: [{ of: PSRV, total: since(rounds, b["TcpExt.ListenDrops"]!) }],
    // The listener is closed, but still in the store.
    WirespanAcceptQueueFills: [{ of: PSRV, each: [2, 2] }],
    WirespanListenerUnattended: "quiet",
    WirespanPacketsDropped: [
      { of: { wirespan_packet_drop_reason: "NETFILTER_DROP" }, total: since(rounds, droppedIn) },
      { of: { wirespan_packet_drop_reason: "NO_SOCKET" }, total: since(rounds, REFUSALS) },
      { each: [5, 50] },
    ],
    WirespanSocketsPileUp: "quiet",
    WirespanSoftirqsBusy: "quiet",
    WirespanSoftirqsWait: "quiet",
    WirespanNapiBudgetExhausted: "quiet",
    WirespanTransmitsFail: [{ total: since(rounds, TOO_LARGE) }],
    WirespanAgentGone: "quiet",
    WirespanPluginNotRunning: "quiet",
    WirespanTelemetryLost: [
      { of: { otel_component_name: "refusing", error_type: "rejected" }, total: [10, 1e6] },
    ],
    WirespanQueueFills: "quiet",
    WirespanConnectionsLost: "quiet",
  };
};
