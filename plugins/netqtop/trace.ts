// bcc's view of netqtop.
import type {
  AnyAttributes,
  ExponentialHistogram,
  Instant,
  Metric,
  Point,
} from "../../core/plugin/signals.ts";
import type { Column, Flags, Row, TraceView } from "../../core/plugin/trace/view.ts";
import { SIZES, signals } from "./signals.ts";
import { detailColumns, detailOptions, interfaceLine, interfaceRows, waited } from "./trace-details.ts";

const SIZE = "wirespan.netdev.frame.size";

/** bcc's column titles. */
const TITLES = ["[0, 64)", "[64, 512)", "[512, 2K)", "[2K, 16K)", "[16K, 64K)", "[64K, -)"] as const;

const keyOf = ({ attributes: a }: Point): string =>
  `${a["wirespan.netns.cookie"]} ${a["wirespan.interface.index"]} ${a["network.interface.name"]} ${a["network.io.direction"]} ${a["wirespan.netdev.queue.id"]}`;

const secondsBetween = (from: Instant, to: Instant): number => (to.bootNs - from.bootNs) / 1e9;

/** One row per queue and direction: the interval's sums and the attributes. */
function rows(delta: readonly Metric[]): Row[] {
  const points = ({ name }: { readonly name: string }) =>
    delta.filter((m) => m.spec.name === name).flatMap((m) => m.points);
  const packets = new Map(points(signals.packets).map((point) => [keyOf(point), point.value as number]));
  const histograms = new Map(
    points(signals.size).map((point) => [keyOf(point), point.value as ExponentialHistogram]),
  );
  const frames = new Map<string, number[]>();
  /** Frames whose sizes are not known. */
  const unsized = new Map<string, number>();
  for (const point of points(signals.frames)) {
    const key = keyOf(point);
    if (point.attributes[SIZE] === undefined) {
      unsized.set(key, point.value as number);
      continue;
    }
    const counts = frames.get(key) ?? SIZES.map(() => 0);
    counts[SIZES.indexOf(point.attributes[SIZE] as (typeof SIZES)[number])] = point.value as number;
    frames.set(key, counts);
  }
  const waits = new Map(
    points(signals.wait).map((point) => [keyOf(point), point.value as ExponentialHistogram]),
  );
  const io = delta.find((m) => m.spec.name === signals.io.name);
  const found = (io?.points ?? []).map((point): Row => {
    const { attributes, start } = point;
    const bytes = point.value as number;
    const sizes = frames.get(keyOf(point)) ?? [];
    const count = unsized.get(keyOf(point)) ?? sizes.reduce((sum, n) => sum + n, 0);
    const seconds = secondsBetween(start, io!.time);
    const sums: AnyAttributes = {
      frames: count,
      // They are not counted for an interface on top of another one.
      packets: packets.get(keyOf(point)),
      bytes,
      avg_size: count ? bytes / count : 0,
      bps: bytes / seconds,
      pps: (packets.get(keyOf(point)) ?? count) / seconds,
      ...waited(waits.get(keyOf(point))),
      ...Object.fromEntries(sizes.map((n, i) => [`frames_${SIZES[i]}`, n])),
    };
    return {
      time: io!.time,
      name: signals.io.name,
      attributes: { ...attributes, ...sums },
      value: bytes,
      ...(histograms.has(keyOf(point)) && { histogram: histograms.get(keyOf(point))! }),
    };
  });
  return [...found.filter(({ attributes }) => attributes.frames).sort(byQueue), ...interfaceRows(delta)];
}

function byQueue({ attributes: a }: Row, { attributes: b }: Row): number {
  const number = (key: string) => Number(a[key]) - Number(b[key]);
  return (
    number("wirespan.netns.cookie") ||
    number("wirespan.interface.index") ||
    directions.indexOf(String(a["network.io.direction"])) -
      directions.indexOf(String(b["network.io.direction"])) ||
    number("wirespan.netdev.queue.id")
  );
}

const directions = ["transmit", "receive"];
const units = ["", "K", "M", "G", "T"];

/** Three digits and a unit of 1,000, as bcc prints rates. */
function short(value: number): string {
  const power = value < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  return power ? `${(value / 1000 ** power).toFixed(2)}${units[power]}` : value.toFixed(2);
}

const number = (key: string) => (row: Row) => Math.round(Number(row.attributes[key] ?? 0));

function columns(flags: Flags): Column[] {
  const named = (title: string, width: number, key: string): Column => {
    return { title, width, cell: (row) => String(row.attributes[key] ?? "-") };
  };
  return [
    named("NETNS", 10, "wirespan.netns.inode"),
    named("IFACE", 15, "network.interface.name"),
    {
      title: "DIR",
      width: 3,
      cell: ({ attributes: { "network.io.direction": way } }) =>
        way ? (way === "transmit" ? "TX" : "RX") : "-",
    },
    ...figures(flags),
    ...detailColumns(flags),
  ];
}

/** bcc's columns of a queue. */
function figures({ throughput, wide, wait }: Flags): Column[] {
  const right = { align: "right" } as const;
  return [
    {
      title: "QueueID",
      width: 10,
      cell: (row) => String(row.attributes["wirespan.netdev.queue.id"] ?? "Total"),
    },
    { title: "avg_size", width: 10, cell: number("avg_size") },
    ...SIZES.map((size, i): Column => ({ title: TITLES[i]!, width: 10, cell: number(`frames_${size}`) })),
    ...(wide
      ? [
          { title: "frames", width: 10, ...right, cell: number("frames") },
          { title: "packets", width: 10, ...right, cell: number("packets") },
          { title: "bytes", width: 12, ...right, cell: number("bytes") },
        ]
      : []),
    ...(throughput
      ? [
          { title: "BPS", width: 10, cell: (row: Row) => short(Number(row.attributes.bps)) },
          { title: "PPS", width: 10, cell: (row: Row) => short(Number(row.attributes.pps)) },
        ]
      : []),
    ...(wait
      ? [
          { title: "waited", width: 10, cell: number("waits") },
          { title: "wait_us", width: 10, cell: number("wait_us") },
        ]
      : []),
  ];
}

const SUMMED = [
  "frames",
  "packets",
  "bytes",
  "bps",
  "pps",
  "waits",
  ...SIZES.map((size) => `frames_${size}`),
];

function total(queues: readonly Row[]): Row {
  const sums = Object.fromEntries(
    SUMMED.map((key) => [key, queues.reduce((sum, row) => sum + Number(row.attributes[key] ?? 0), 0)]),
  );
  const waitUs = queues.reduce(
    (sum, { attributes: a }) => sum + Number(a.waits ?? 0) * Number(a.wait_us ?? 0),
    0,
  );
  const averages = {
    avg_size: sums.frames ? sums.bytes! / sums.frames : 0,
    wait_us: sums.waits ? waitUs / sums.waits : 0,
  };
  const attributes = { ...sums, ...averages };
  return { time: queues[0]?.time ?? { sec: 0, nsec: 0 }, name: signals.io.name, attributes };
}

/** The busiest queue's share relative to an even one, if there are several: 1 is even. */
function imbalance(queues: readonly Row[]): string {
  if (queues.length < 2) return "";
  const packets = queues.map((row) => Number(row.attributes.packets ?? row.attributes.frames));
  const sum = packets.reduce((all, n) => all + n, 0);
  return `  (busiest queue: ${((Math.max(...packets) / sum) * packets.length).toFixed(2)} of an even share)`;
}

function line(own: readonly Column[], cell: (column: Column) => string): string {
  const cells = own.map((column) =>
    column.align === "right" ? cell(column).padStart(column.width) : cell(column).padEnd(column.width),
  );
  return ` ${cells.join(" ").trimEnd()}`;
}

/** As in bcc: a table for each direction, each with its total; here for each interface. */
function render(all: readonly Row[], flags: Flags): string[] {
  const own = figures(flags);
  const interfaces = Object.values(
    Object.groupBy(
      all,
      ({ attributes: a }) => `${a["wirespan.netns.cookie"]} ${a["wirespan.interface.index"]}`,
    ),
  );
  const lines = [new Date().toString().slice(0, 24)];
  for (const rows of interfaces) {
    const { attributes } = rows![0]!;
    lines.push(`${attributes["network.interface.name"]} (netns ${attributes["wirespan.netns.inode"]})`);
    for (const direction of directions) {
      const queues = rows!.filter((row) => row.attributes["network.io.direction"] === direction);
      lines.push(`${direction === "transmit" ? "TX" : "RX"}${imbalance(queues)}`);
      lines.push(line(own, (column) => column.title));
      for (const row of [...queues, total(queues)])
        lines.push(line(own, (column) => String(column.cell(row))));
      lines.push("");
    }
    for (const row of rows!) if (!row.attributes["network.io.direction"]) lines.push(interfaceLine(row), "");
  }
  return [...lines, "-".repeat(96)];
}

export const trace: TraceView = {
  meansNothing: { "*": "frames belong to an interface and queue, not to a process or connection" },
  options: [
    { flags: "-n, --name <interfaces>", doc: "only these interfaces", setting: "interfaces" },
    { flags: "-i, --interval <seconds>", doc: "seconds from table to table (1)" },
    { flags: "-t, --throughput", doc: "bytes and packets per second" },
    { flags: "--loopback", doc: "include loopback interfaces", setting: "loopback", value: "true" },
    ...detailOptions,
  ],
  interval: "1s",
  rows,
  columns,
  render,
};
