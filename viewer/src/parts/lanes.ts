// The lanes of a waterfall: an end of a connection is one, with its phases and what happened to it; every other span
// has one of its own.
import type { TraceRow } from "../../../store/answers.ts";
import { bytes, duration } from "../format.ts";
import { nameOf, number, text } from "../trace-row.ts";

export interface Phase {
  /** Seconds since the epoch. */
  readonly from: number;
  readonly to: number;
  readonly tone: string;
  readonly label: string;
}

export interface Mark {
  readonly at: number;
  readonly kind: "retransmit" | "drop" | "reset";
  readonly label: string;
}

export interface Lane {
  readonly row: TraceRow;
  readonly depth: number;
  readonly title: string;
  readonly note: string;
  readonly phases: readonly Phase[];
  readonly marks: readonly Mark[];
  /** SYNs to the other end, if it is on this host. */
  readonly syns?: readonly Syn[];
}

/** A SYN, and when it reached the other end's lane; `isDropped`: it got no further. */
export interface Syn {
  readonly sent: number;
  readonly to: Lane;
  /** Undefined: it was lost on the way, or this host did not report what became of it. */
  readonly arrived: number | undefined;
  readonly isDropped: boolean;
}

const ID = "wirespan.connection.id";
/** Seconds that a SYN takes at most within this host: less than until it is retransmitted. */
const LONGEST_WAY = 0.5;
const ENDS = ["tcp connection", "tcp connect", "tcp accept"];

/** Parents before their children, each with its depth; a span whose parent is not stored is a root. */
export function lanes(rows: readonly TraceRow[]): Lane[] {
  const events = rows.filter(({ signal }) => signal === "event");
  const spans = rows.filter(({ signal }) => signal === "span");
  // An end is drawn at the position of its connection span, or of its handshake if the connection has not ended.
  const ends = Map.groupBy(
    spans.filter(
      ({ name, attributes }) => ENDS.includes(name) && attributes["wirespan.context.source"] === undefined,
    ),
    (row) => text(row, ID) ?? row.span,
  );
  const first = new Map(
    [...ends.values()].map((all) => [all.toSorted((a, b) => rankOf(a) - rankOf(b))[0]!, all]),
  );
  const hidden = new Set([...ends.values()].flat().filter((row) => !first.has(row)));
  const known = new Set(spans.filter((row) => !hidden.has(row)).map(({ span }) => span));
  const children = Map.groupBy(
    spans.filter((row) => !hidden.has(row)),
    ({ parent }) => (parent !== undefined && known.has(parent) ? parent : ""),
  );
  const found: Lane[] = [];
  const visit = (of: string, depth: number) => {
    for (const row of (children.get(of) ?? []).toSorted((a, b) => a.start - b.start)) {
      if (found.some((lane) => lane.row === row)) continue;
      const end = first.get(row);
      found.push(end ? endLane(row, depth, end, events) : spanLane(row, depth));
      if (depth < 12) visit(row.span, depth + 1);
    }
  };
  visit("", 0);
  return withSyns(found);
}

/** Adds the SYNs of an opener's lane, if the acceptor's is there. */
function withSyns(all: readonly Lane[]): Lane[] {
  const of = (direction: string, name: string) =>
    all.find(
      ({ row, phases }) =>
        phases.length > 0 &&
        ENDS.includes(row.name) &&
        row.name !== name &&
        text(row, "wirespan.connection.direction") === direction,
    );
  const [opener, acceptor] = [of("outbound", "tcp accept"), of("inbound", "tcp connect")];
  if (opener === undefined || acceptor === undefined) return [...all];
  const again = opener.marks.filter(({ kind, label }) => kind === "retransmit" && label.startsWith("syn "));
  const sent = [opener.phases[0]!.from, ...again.map(({ at }) => at)].sort((a, b) => a - b);
  const begin = acceptor.phases[0]!.from;
  // A retransmission that is not reported must not look like a SYN that took a second.
  const arrived = sent.findLastIndex((at) => at <= begin && begin - at < LONGEST_WAY);
  const syns = sent.map((at, i): Syn => {
    if (i === arrived) return { sent: at, to: acceptor, arrived: begin, isDropped: false };
    const next = sent[i + 1] ?? Number.POSITIVE_INFINITY;
    const drop = acceptor.marks.find((mark) => mark.kind === "drop" && mark.at >= at && mark.at < next);
    return { sent: at, to: acceptor, arrived: drop?.at, isDropped: drop !== undefined };
  });
  return all.map((lane) => (lane === opener ? { ...lane, syns } : lane));
}

/** A SYN in words. */
export function synLabel({ to, sent, arrived, isDropped }: Syn): string {
  if (arrived === undefined) return `SYN to ${to.title}, which did not receive it`;
  return `SYN to ${to.title}, ${isDropped ? "dropped there" : "received"} after ${duration(arrived - sent)}`;
}

const rankOf = ({ name }: TraceRow) => ENDS.indexOf(name);

const endOf = ({ start, duration: took = 0 }: TraceRow) => start + took;

/** The phases of one end of a connection, and its events. */
function endLane(row: TraceRow, depth: number, end: readonly TraceRow[], events: readonly TraceRow[]): Lane {
  const of = (name: string) => end.find((one) => one.name === name);
  const [connection, connect, accept] = ENDS.map(of);
  const phases: Phase[] = [];
  const add = (from: number, to: number, tone: string, label: string) => {
    if (to > from) phases.push({ from, to, tone, label });
  };
  let since = row.start;
  if (connect) {
    const took = duration(connect.duration);
    add(
      connect.start,
      endOf(connect),
      connect.error ? "bad" : "connect",
      connect.error ? `${connect.error} after ${took}` : `connecting ${took}`,
    );
    since = endOf(connect);
  }
  if (accept) {
    const wait = number(accept, "wirespan.tcp.accept.queue_wait") ?? 0;
    const queued = endOf(accept) - wait;
    add(accept.start, queued, "connect", `handshake ${duration(queued - accept.start)}`);
    add(queued, endOf(accept), "queue", `accept queue ${duration(wait)}`);
    since = endOf(accept);
  }
  if (connection) {
    const moved = `${bytes(number(connection, "wirespan.tcp.bytes_sent"))} out, ${bytes(number(connection, "wirespan.tcp.bytes_received"))} in`;
    const what = accept ? "accepted" : "established";
    add(
      since,
      endOf(connection),
      accept ? "accept" : "life",
      `${what} ${duration(endOf(connection) - since)}, ${moved}`,
    );
  }
  const inbound = text(row, "wirespan.connection.direction") === "inbound";
  return {
    row,
    depth,
    title: row.service,
    note: `pid ${text(row, "process.pid") ?? "–"}, ${inbound ? "accepts" : "opens"}`,
    phases,
    marks: [...events.filter((event) => isOf(event, row)).map(markOf), ...resetOf(connection)],
  };
}

function resetOf(connection: TraceRow | undefined): readonly Mark[] {
  const reason = connection && text(connection, "wirespan.tcp.close.reason");
  if (!connection || !reason?.startsWith("rst_")) return [];
  return [{ at: endOf(connection), kind: "reset", label: reason.replace("rst_", "reset ") }];
}

/** Whether an event belongs to an end; a packet that was dropped before there was a connection belongs to its receiver. */
function isOf(event: TraceRow, row: TraceRow): boolean {
  const id = text(event, ID);
  if (id !== undefined) return id === text(row, ID);
  return (
    text(event, "destination.port") === text(row, "network.local.port") &&
    text(event, "destination.address") === text(row, "network.local.address")
  );
}

function markOf(event: TraceRow): Mark {
  const [type, reason] = [
    text(event, "wirespan.tcp.retransmit.type"),
    text(event, "wirespan.packet.drop.reason"),
  ];
  const at = event.start;
  if (type !== undefined) return { at, kind: "retransmit", label: `${type} retransmitted` };
  if (reason !== undefined) return { at, kind: "drop", label: `dropped: ${reason}` };
  return { at, kind: "reset", label: event.name.replace(/^wirespan\.tcp\./, "") };
}

function spanLane(row: TraceRow, depth: number): Lane {
  const lane = { row, depth, title: nameOf(row), note: `${row.service} ${text(row, "process.pid") ?? ""}` };
  const label = `${nameOf(row)} ${duration(row.duration)}`;
  // A span without a duration is an instant.
  if (row.duration! < 1e-6) {
    const kind = /drop/.test(row.name) ? "drop" : /reset/.test(row.name) ? "reset" : "retransmit";
    return { ...lane, phases: [], marks: [{ at: row.start, kind, label }] };
  }
  const tone = row.error !== undefined ? "bad" : row.name === "application span" ? "application" : "life";
  return { ...lane, phases: [{ from: row.start, to: endOf(row), tone, label }], marks: [] };
}
