// The meaning of connection spans: their edges, their sums, and which of them are kept longer. Tests:
// store/ingest.test.ts.
import type { Rows } from "../exporters/local/columns.ts";
import type { Signal } from "./signal.ts";
import type { Edge, Sums } from "./sums/edge.ts";

const CONNECTION_SPANS = new Set(["tcp connection", "tcp connect", "tcp accept"]);
const LOSSES = new Set(["tcp retransmit", "tcp drop", "tcp reset"]);
/** The event of a retransmitted SYN, long before its attempt ends. */
const RETRANSMIT = "wirespan.tcp.retransmit";

/** Seconds from which a handshake or a wait in an accept queue is slow for any edge. */
const SLOW = 0.2;

/** The columns that are read in each row. */
export class Measures {
  readonly #name: string;
  readonly #rows: Rows;
  /** Undefined: spans. */
  readonly #isWarning: boolean | undefined;
  /** Words that begin with `rst_`. */
  readonly #resets: ReadonlySet<number>;
  readonly #texts;
  readonly #numbers;

  constructor(signal: Signal, rows: Rows) {
    const { signal: kind, severity } = signal.declaration;
    this.#name = signal.name;
    this.#rows = rows;
    this.#isWarning = kind === "event" ? severity === "WARN" || severity === "ERROR" : undefined;
    this.#resets = new Set(rows.words.flatMap((word, i) => (word.startsWith("rst_") ? [i] : [])));
    const text = (key: string) => (signal.column(rows, key) as Uint32Array | undefined) ?? [];
    const number = (key: string) => (signal.column(rows, key) as Float64Array | undefined) ?? [];
    this.#texts = {
      direction: text("wirespan.connection.direction"),
      local: text("network.local.address"),
      peer: text("network.peer.address"),
      error: text("error.type"),
      closeReason: text("wirespan.tcp.close.reason"),
      retransmit: text("wirespan.tcp.retransmit.type"),
      // In an application's own trace: the same handshake is in its connection's trace too.
      inTrace: text("wirespan.context.source"),
    };
    this.#numbers = {
      localPort: number("network.local.port"),
      peerPort: number("network.peer.port"),
      sent: number("wirespan.tcp.bytes_sent"),
      received: number("wirespan.tcp.bytes_received"),
      segments: number("wirespan.tcp.segments_sent"),
      retransmits: number("wirespan.tcp.retransmits"),
      spurious: number("wirespan.tcp.spurious_retransmits"),
      unread: number("wirespan.tcp.bytes_unread"),
      rtt: number("wirespan.tcp.rtt.smoothed"),
      syns: number("wirespan.tcp.syn.retransmits"),
      synacks: number("wirespan.tcp.synack.retransmits"),
      wait: number("wirespan.tcp.accept.queue_wait"),
    };
  }

  /** Whether row `i` is summed under its edge. */
  isSummed(i: number): boolean {
    if (this.#name === RETRANSMIT) return this.#word(this.#texts.retransmit, i) === "syn";
    return CONNECTION_SPANS.has(this.#name) && !this.#texts.inTrace[i];
  }

  /** The edge of a row that is summed. */
  edge(i: number, resource: number): Edge {
    return {
      resource,
      direction: (this.#word(this.#texts.direction, i) as Edge["direction"] | undefined) ?? "unknown",
      peer: this.#word(this.#texts.peer, i) ?? "",
      port: this.#port(i),
    };
  }

  /** Equal for rows of the same edge, if their resources are equal. */
  edgeKey(i: number): number {
    const { peer, direction } = this.#texts;
    return ((peer[i] ?? 0) * 65_536 + this.#port(i)) * 4096 + (direction[i] ?? 0);
  }

  /** Equal for rows with the same local address and, if the connection is not outbound, the same port. */
  localKey(i: number): number {
    const { local, direction } = this.#texts;
    const isOutbound = this.#word(direction, i) === "outbound";
    return (local[i] ?? 0) * 65_536 + (isOutbound ? 0 : this.#numbers.localPort[i] || 0);
  }

  /** Adds row `i` to the sums of its edge, in each window. */
  sumInto(windows: readonly Sums[], i: number): void {
    for (const sums of windows) this.#sumInto(sums, i);
  }

  #sumInto(sums: Sums, i: number): void {
    const { sent, received, segments, retransmits, spurious, unread, rtt, syns, synacks, wait } =
      this.#numbers;
    const seconds = this.#rows.duration[i]! / 1e9;
    switch (this.#name) {
      case RETRANSMIT:
        sums.add("synsAgain", 1);
        return;
      case "tcp connection":
        sums.add("connections", 1);
        sums.add("sent", sent[i]);
        sums.add("received", received[i]);
        sums.add("segments", segments[i]);
        sums.add("retransmits", retransmits[i]);
        sums.add("spurious", spurious[i]);
        sums.add("unread", unread[i]);
        if (this.#isReset(i)) sums.add("resets", 1);
        if (rtt[i]! > 0) sums.histograms.rtt.add(rtt[i]!);
        sums.histograms.life.add(seconds);
        return;
      case "tcp connect": {
        sums.add("connects", 1);
        sums.add("synRetransmits", syns[i]);
        const cause = this.#word(this.#texts.error, i);
        if (cause === undefined) sums.histograms.connect.add(seconds);
        else sums.fail(cause);
        return;
      }
      case "tcp accept": {
        sums.add("accepts", 1);
        sums.add("synackRetransmits", synacks[i]);
        const cause = this.#word(this.#texts.error, i);
        if (cause !== undefined) sums.fail(cause);
        sums.histograms.accept.add(seconds);
        if (wait[i]! >= 0) sums.histograms.queue.add(wait[i]!);
      }
    }
  }

  /** Whether the file keeps the row longer: failures, resets, retransmissions, drops, warnings and slow ones. */
  isNotable(i: number): boolean {
    if (this.#isWarning !== undefined) return this.#isWarning;
    const { retransmits, syns, synacks, wait } = this.#numbers;
    if (this.#rows.error[i] !== 0 || LOSSES.has(this.#name) || this.#texts.error[i] || this.#isReset(i))
      return true;
    if (retransmits[i]! > 0 || syns[i]! > 0 || synacks[i]! > 0) return true;
    return this.#name === "tcp connect" ? this.#rows.duration[i]! > SLOW * 1e9 : wait[i]! > SLOW;
  }

  #isReset(i: number): boolean {
    return this.#resets.has(this.#texts.closeReason[i] ?? 0);
  }

  #port(i: number): number {
    const { localPort, peerPort } = this.#numbers;
    const isInbound = this.#word(this.#texts.direction, i) === "inbound";
    return (isInbound ? localPort[i] : peerPort[i]) || 0;
  }

  #word(column: ArrayLike<number>, i: number): string | undefined {
    const word = column[i];
    return word ? this.#rows.words[word] : undefined;
  }
}
