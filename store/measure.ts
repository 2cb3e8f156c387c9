// What a row of a connection's span says: its edge, what is summed of it, and whether it is worth to be kept longer.
// Tests: store/ingest.test.ts.
import type { Rows } from "../exporters/local/columns.ts";
import type { Signal } from "./signal.ts";
import type { Edge, Sums } from "./sums/edge.ts";

const CONNECTION_SPANS = new Set(["tcp connection", "tcp connect", "tcp accept"]);
const LOSSES = new Set(["tcp retransmit", "tcp drop", "tcp reset"]);
/** One SYN that is retransmitted, long before its attempt ends. */
const RETRANSMIT = "wirespan.tcp.retransmit";
/** In an application's own trace: the same handshake is in its connection's trace too. */
const IN_TRACE = "wirespan.context.source";

function isSummed(signal: Signal, rows: Rows, i: number): boolean {
  if (signal.name === RETRANSMIT) return signal.text(rows, i, "wirespan.tcp.retransmit.type") === "syn";
  return CONNECTION_SPANS.has(signal.name) && signal.text(rows, i, IN_TRACE) === undefined;
}

/** The edge of a span or event that is summed; undefined for others. */
export function connectionAt(signal: Signal, rows: Rows, i: number, resource: number): Edge | undefined {
  if (!isSummed(signal, rows, i)) return undefined;
  const direction = signal.text(rows, i, "wirespan.connection.direction") as Edge["direction"] | undefined;
  const own = direction === "inbound" ? "network.local.port" : "network.peer.port";
  const port = signal.number(rows, i, own);
  return {
    resource,
    direction: direction ?? "unknown",
    peer: signal.text(rows, i, "network.peer.address") ?? "",
    port: Number.isNaN(port) ? 0 : port,
  };
}

/** Adds a span or event to the sums of its edge. */
export function sumsInto(sums: Sums, signal: Signal, rows: Rows, i: number): void {
  const seconds = rows.duration[i]! / 1e9;
  const number = (key: string) => signal.number(rows, i, key);
  switch (signal.name) {
    case RETRANSMIT:
      sums.add("synsAgain", 1);
      return;
    case "tcp connection": {
      sums.add("connections", 1);
      sums.add("sent", number("wirespan.tcp.bytes_sent"));
      sums.add("received", number("wirespan.tcp.bytes_received"));
      sums.add("segments", number("wirespan.tcp.segments_sent"));
      sums.add("retransmits", number("wirespan.tcp.retransmits"));
      sums.add("spurious", number("wirespan.tcp.spurious_retransmits"));
      sums.add("unread", number("wirespan.tcp.bytes_unread"));
      if (signal.text(rows, i, "wirespan.tcp.close.reason")?.startsWith("rst_")) sums.add("resets", 1);
      const rtt = number("wirespan.tcp.rtt.smoothed");
      if (rtt > 0) sums.histograms.rtt.add(rtt);
      sums.histograms.life.add(seconds);
      return;
    }
    case "tcp connect": {
      sums.add("connects", 1);
      sums.add("synRetransmits", number("wirespan.tcp.syn.retransmits"));
      const cause = signal.text(rows, i, "error.type");
      if (cause === undefined) sums.histograms.connect.add(seconds);
      else sums.fail(cause);
      return;
    }
    case "tcp accept": {
      sums.add("accepts", 1);
      sums.add("synackRetransmits", number("wirespan.tcp.synack.retransmits"));
      const cause = signal.text(rows, i, "error.type");
      if (cause !== undefined) sums.fail(cause);
      sums.histograms.accept.add(seconds);
      const wait = number("wirespan.tcp.accept.queue_wait");
      if (wait >= 0) sums.histograms.queue.add(wait);
    }
  }
}

/** Seconds from which a handshake or a wait in an accept queue is slow whatever its edge is used to. */
const SLOW = 0.2;

/** Failures, resets, retransmissions, drops, warnings and slow ones, of which the file keeps more. */
export function isNotable(signal: Signal, rows: Rows, i: number): boolean {
  const { signal: kind, severity } = signal.declaration;
  if (kind === "event") return severity === "WARN" || severity === "ERROR";
  if (rows.error[i] !== 0 || LOSSES.has(signal.name)) return true;
  if (signal.text(rows, i, "error.type") !== undefined) return true;
  if (signal.text(rows, i, "wirespan.tcp.close.reason")?.startsWith("rst_")) return true;
  const positive = (key: string) => signal.number(rows, i, key) > 0;
  if (positive("wirespan.tcp.retransmits") || positive("wirespan.tcp.syn.retransmits")) return true;
  if (positive("wirespan.tcp.synack.retransmits")) return true;
  if (signal.name === "tcp connect") return rows.duration[i]! > SLOW * 1e9;
  return signal.number(rows, i, "wirespan.tcp.accept.queue_wait") > SLOW;
}
