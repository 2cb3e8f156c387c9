// Minutes of connections, normal or with a fault, for the tests of findings.
import type { AnyAttributes } from "../../core/plugin/signals.ts";
import { ACCEPT, CONNECT, CONNECTION, outbound, RETRANSMIT, type TestStore } from "./page.ts";

export interface Minute {
  /** Connections per minute to peer 1; normal ones go to peers 2 and 3. */
  readonly connects?: number;
  readonly failed?: readonly [count: number, cause: string];
  readonly synRetransmits?: number;
  /** SYNs retransmitted by attempts in progress. */
  readonly hanging?: number;
  /** Seconds. */
  readonly took?: number;
  readonly rtt?: number;
  readonly queue?: number;
  /** How many connections take that long; absent: all. */
  readonly slow?: number;
  readonly retransmits?: number;
  /** Retransmissions that the peer reported as duplicates. */
  readonly spurious?: number;
  readonly resets?: number;
  readonly unread?: number;
}

/** One minute that ends at `end`, in ten-second windows. */
export function minute(store: TestStore, end: number, minute: Minute, peer: number, service = "web"): void {
  const { connects = 60, failed = [0, ""], took = 0.001, rtt = 0.0005, queue = 0.0001 } = minute;
  const at = (i: number) => end - 60 + (i * 60) / connects;
  const [failures, cause] = failed;
  const every = (n: number, i: number) =>
    n > 0 && i % Math.floor(connects / n) === 0 && i / Math.floor(connects / n) < n;
  const made = (attributes: (i: number) => AnyAttributes, duration: number, from = 0) =>
    Array.from({ length: connects - from }, (_, i) => {
      return {
        start: at(i + from) - duration,
        duration,
        trace: i,
        service,
        attributes: attributes(i + from),
      };
    });
  store.spans(
    CONNECT,
    made((i) => {
      const error = i < failures ? { "error.type": cause } : {};
      const syns = every(minute.synRetransmits ?? 0, i) ? 1 : 0;
      return outbound(peer, { "wirespan.tcp.syn.retransmits": syns, ...error });
    }, took),
  );
  store.spans(
    CONNECTION,
    made(
      (i) =>
        outbound(peer, {
          "wirespan.tcp.bytes_sent": 1000,
          "wirespan.tcp.bytes_received": 1000,
          "wirespan.tcp.segments_sent": 10,
          "wirespan.tcp.rtt.smoothed": rtt,
          "wirespan.tcp.retransmits": every(minute.retransmits ?? 0, i) ? 1 : 0,
          "wirespan.tcp.spurious_retransmits": every(minute.spurious ?? 0, i) ? 1 : undefined,
          "wirespan.tcp.bytes_unread": every(minute.unread ?? 0, i) ? 10 : undefined,
          "wirespan.tcp.close.reason": every(minute.resets ?? 0, i) ? "rst_received" : "fin_local",
        }),
      0.01,
      failures,
    ),
  );
  store.spans(
    RETRANSMIT,
    Array.from({ length: minute.hanging ?? 0 }, (_, i) => ({
      start: at(i),
      duration: 0,
      trace: i,
      service,
      attributes: outbound(peer, { "wirespan.tcp.retransmit.type": "syn" }),
    })),
  );
  const inbound = { ...outbound(9), "network.local.port": 80, "wirespan.connection.direction": "inbound" };
  store.spans(
    ACCEPT,
    made(
      (i) => ({
        ...inbound,
        "wirespan.tcp.accept.queue_wait": every(minute.slow ?? connects, i) ? queue : 0.0001,
        "wirespan.tcp.synack.retransmits": 0,
      }),
      queue,
    ),
  );
}
