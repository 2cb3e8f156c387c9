// The overview as lines of text that fit the terminal.
import type { Paint } from "../format.ts";
import { clockTime } from "../format.ts";
import { cut, exact, fit, shortBytes, shortCount, shortTime } from "./cells.ts";
import type { Model } from "./model.ts";
import type { Peer } from "./peers.ts";

export const ORDERS = ["connections", "failures", "p99", "bytes", "retransmits", "total"] as const;
export type Order = (typeof ORDERS)[number];

export interface Look {
  readonly order: Order;
  /** Only rows that contain this text, whatever its case. */
  readonly filter: string;
  readonly width: number;
  readonly height: number;
}

interface Column {
  readonly title: string;
  readonly width: number;
  /** The narrowest supported terminal, in columns. */
  readonly from: number;
  cell(peer: Peer): string;
}

const COLUMNS: readonly Column[] = [
  { title: "CONN/S", width: 6, from: 0, cell: ({ connections }) => shortCount(connections.perSecond) },
  { title: "TOTAL", width: 9, from: 100, cell: ({ connections }) => exact(connections.total) },
  { title: "FAILED", width: 6, from: 0, cell: ({ failures }) => shortCount(failures.total) },
  { title: "P50", width: 6, from: 0, cell: ({ latency }) => shortTime(latency.percentile(0.5)) },
  { title: "P99", width: 6, from: 0, cell: ({ latency }) => shortTime(latency.percentile(0.99)) },
  { title: "RETR", width: 5, from: 0, cell: ({ retransmits }) => shortCount(retransmits.total) },
  { title: "SENT/S", width: 6, from: 0, cell: ({ sent }) => shortBytes(sent.perSecond) },
  { title: "RECV/S", width: 6, from: 0, cell: ({ received }) => shortBytes(received.perSecond) },
  { title: "SENT", width: 8, from: 120, cell: ({ sent }) => shortBytes(sent.total) },
  { title: "RECEIVED", width: 8, from: 120, cell: ({ received }) => shortBytes(received.total) },
];

const WEIGHT: Readonly<Record<Order, (peer: Peer) => number>> = {
  connections: ({ connections }) => connections.perSecond,
  failures: ({ failures }) => failures.total,
  p99: ({ latency }) => latency.percentile(0.99) ?? 0,
  bytes: ({ sent, received }) => sent.perSecond + received.perSecond,
  retransmits: ({ retransmits }) => retransmits.total,
  total: ({ connections }) => connections.total,
};

/** What the overview's body shows, without title and key line; at most `height` lines. */
export function overview(model: Model, look: Look, paint: Paint): readonly string[] {
  const { width, height } = look;
  const top = [...sums(model, width, paint), ...accounts(model, width, paint)];
  const bottom = [paces(model, width, paint)];
  const room = Math.max(6, height - top.length - bottom.length - 3);
  const listeners = listenerRows(model, look);
  const problems = problemRows(model, look, paint);
  const third = Math.min(Math.max(2, Math.floor(room / 5)), Math.max(1, listeners.length));
  const second = Math.min(Math.max(3, Math.floor(room / 3)), Math.max(1, problems.length));
  const first = room - second - third;
  return [
    ...top,
    ...table(
      peerTitle(look),
      peerRows(model, look, paint),
      first,
      look,
      paint,
      "No connection has ended yet.",
    ),
    ...table("FAILURES AND DROPS", problems, second, look, paint, "None."),
    ...table("LISTENERS, by accept queue", listeners, third, look, paint, "None known yet."),
    ...bottom,
  ].slice(0, height);
}

/** A title and `rows` lines; the last one counts those without room. */
function table(
  title: string,
  rows: readonly string[],
  room: number,
  { width }: Look,
  paint: Paint,
  empty: string,
): readonly string[] {
  const shown = rows.length > room ? rows.slice(0, room - 1) : rows;
  const more = rows.length > room ? [paint.dim(`  and ${rows.length - shown.length} more`)] : [];
  const none = rows.length === 0 ? [paint.dim(`  ${empty}`)] : [];
  const lines = [...shown, ...more, ...none];
  const blanks = Array.from({ length: Math.max(0, room - lines.length) }, () => "");
  return [paint.title(fit(title, width)), ...lines, ...blanks];
}

function sums({ peers, gauges }: Model, width: number, paint: Paint): readonly string[] {
  const { connections, failures, sent, received } = peers.sums;
  const failed = `failed ${exact(failures.total)}`;
  const facts = [
    `ended ${exact(connections.perSecond)}/s, ${exact(connections.total)} in all`,
    failed,
    `out ${perSecond(sent.perSecond)}`,
    `in ${perSecond(received.perSecond)}`,
    `retransmitted ${exact(gauges.total("wirespan.tcp.retransmits"))}`,
    `dropped ${exact(gauges.total("wirespan.tcp.packet.dropped"))}`,
  ];
  const line = fitting(facts, "  ", width);
  return [failures.total > 0 ? line.replace(failed, paint.error) : line];
}

const perSecond = (bytes: number): string => (bytes < 0.5 ? "0/s" : `${shortBytes(bytes)}/s`);

/** As many of `facts` as fit into `width`, in order. */
function fitting(facts: readonly string[], between: string, width: number): string {
  let line = "";
  for (const fact of facts) {
    const longer = line === "" ? fact : line + between + fact;
    if (longer.length > width) break;
    line = longer;
  }
  return line || cut(facts[0] ?? "", width);
}

/** The loss balance, impaired plugins, and the state of exporters. */
function accounts({ gauges }: Model, width: number, paint: Paint): readonly string[] {
  const { losses } = gauges;
  const loss =
    losses.length === 0
      ? "Nothing lost."
      : `Lost: ${losses.map(({ cause, count }) => `${exact(count)} ${cause}`).join(", ")}.`;
  const plugins =
    gauges.impaired.length === 0
      ? `${gauges.running} plugins run.`
      : `Impaired: ${gauges.impaired.join(", ")}.`;
  const exporters = gauges.exporters.map(
    ({ name, acknowledged, lost: gone, queued }) =>
      `${name}: ${shortCount(acknowledged)} exported${gone ? `, ${exact(gone)} lost` : ""}, ${shortBytes(queued)} queued.`,
  );
  const line = cut([loss, plugins, ...exporters].join("  "), width);
  const bad = losses.length > 0 || gauges.impaired.length > 0 || gauges.exporters.some((e) => e.lost > 0);
  return [bad ? paint.error(line) : paint.dim(line)];
}

/** Minimum cells of names; columns that leave no room for them are omitted. */
const NAMES = 14;

function shownColumns(width: number): readonly Column[] {
  let room = width - NAMES;
  return COLUMNS.filter(({ from, width: cells }) => {
    if (width < from || room <= cells) return false;
    room -= cells + 1;
    return true;
  });
}

/** What is left of the width for the names. */
function nameWidth(width: number): number {
  return width - shownColumns(width).reduce((sum, column) => sum + column.width + 1, 0);
}

function peerTitle({ width, order }: Look): string {
  const name = `PEERS, by ${order}`;
  const titles = shownColumns(width).map(({ title, width: cells }) => fit(title, cells, "right"));
  return [fit(name, nameWidth(width)), ...titles].join(" ");
}

function peerRows({ peers }: Model, { order, filter, width }: Look, paint: Paint): readonly string[] {
  const weight = WEIGHT[order];
  const columns = shownColumns(width);
  return peers.all
    .map((peer) => ({ peer, name: `${peer.service} ${peer.arrow} ${peer.peer}` }))
    .filter(({ name }) => has(name, filter))
    .sort((a, b) => weight(b.peer) - weight(a.peer) || b.peer.connections.total - a.peer.connections.total)
    .map(({ peer, name }) => {
      const cells = columns.map((column) => fit(column.cell(peer), column.width, "right"));
      const line = [fit(name, nameWidth(width)), ...cells].join(" ");
      return peer.failures.total > 0 && peer.failures.perSecond > 0 ? paint.error(line) : line;
    });
}

function problemRows({ problems }: Model, { filter, width }: Look, paint: Paint): readonly string[] {
  return problems.all
    .map(({ time, what, who, where, count }) => {
      const times = count > 1 ? `${exact(count)} × ` : "";
      return `${clockTime(time).slice(0, 8)}  ${times}${what}  ${who} ${where}`;
    })
    .filter((line) => has(line, filter))
    .map((line) => paint.error(cut(line, width)));
}

function listenerRows({ gauges }: Model, { filter, width }: Look): readonly string[] {
  const overflows = gauges.total("wirespan.tcp.accept_queue.overflows");
  const rows = gauges.listeners
    .filter(({ name }) => has(name, filter))
    .map(({ name, usage, limit }) => `${name}  ${exact(usage)} of ${exact(limit)} waiting`);
  const line = overflows > 0 ? [`${exact(overflows)} connections did not fit into a full queue`] : [];
  return [...line, ...rows].map((row) => cut(row, width));
}

function paces({ gauges }: Model, width: number, paint: Paint): string {
  const softirqs = gauges
    .paces("wirespan.softirq.time")
    .slice(0, 3)
    .map(({ name, perSecond }) => `${name} ${(perSecond * 100).toFixed(1)} %`);
  const interfaces = gauges
    .paces("wirespan.netdev.queue.io")
    .slice(0, 3)
    .map(({ name, perSecond }) => `${name} ${shortBytes(perSecond)}/s`);
  const facts = [
    ...(softirqs.length ? [`softirqs: ${softirqs.join(", ")} of a CPU`] : []),
    ...(interfaces.length ? [`interfaces: ${interfaces.join(", ")}`] : []),
  ];
  return paint.dim(cut(facts.join("   "), width));
}

const has = (text: string, filter: string): boolean => text.toLowerCase().includes(filter.toLowerCase());
