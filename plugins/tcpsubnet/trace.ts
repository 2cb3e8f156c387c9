// bcc's view of tcpsubnet.
import { WirespanError } from "../../core/plugin/errors.ts";
import type { Metric } from "../../core/plugin/signals.ts";
import { date, number, text } from "../../core/plugin/trace/columns.ts";
import type { Flags, Row, TraceView } from "../../core/plugin/trace/view.ts";
import { signals } from "./signals.ts";
import { OTHER } from "./subnets.ts";

const SENT = "wirespan.tcp.bytes_sent";
const RECEIVED = "wirespan.tcp.bytes_received";
const CONNECTIONS = "wirespan.tcp.connections";
const RETRANSMITS = "wirespan.tcp.retransmits";
const DROPPED = "wirespan.tcp.packets_dropped";

/** Bytes per unit; bits by thousands, bytes by 1024. */
const UNITS: Readonly<Record<string, number>> = {
  b: 1 / 8,
  k: 1e3 / 8,
  m: 1e6 / 8,
  B: 1,
  K: 1024,
  M: 1024 ** 2,
};

/** Throws USAGE if the unit is unknown. */
function unitOf({ format = "B" }: Flags): number {
  const unit = UNITS[String(format)];
  if (unit !== undefined) return unit;
  throw new WirespanError(
    "USAGE",
    `--format takes one of ${Object.keys(UNITS).join(", ")}, not "${format}".`,
  );
}

/** The column of a point of one of the plugin's metrics. */
function keyOf(name: string, direction: unknown): string {
  if (name === signals.io.name) return direction === "transmit" ? SENT : RECEIVED;
  if (name === signals.dropped.name) return DROPPED;
  return name === signals.connections.name ? CONNECTIONS : RETRANSMITS;
}

/** One row for each subnet, in the order of the settings; `other` comes last. */
function rows(delta: readonly Metric[]): Row[] {
  const subnets = new Map<string, Record<string, number>>();
  for (const metric of delta) {
    for (const { attributes, value } of metric.points) {
      const name = String(attributes["wirespan.subnet.name"]);
      const row = subnets.get(name) ?? {
        [SENT]: 0,
        [RECEIVED]: 0,
        [CONNECTIONS]: 0,
        [RETRANSMITS]: 0,
        [DROPPED]: 0,
      };
      row[keyOf(metric.spec.name, attributes["network.io.direction"])]! += value as number;
      subnets.set(name, row);
    }
  }
  const all = [...subnets].map(([name, sums]): Row => {
    const attributes = { "wirespan.subnet.name": name, ...sums };
    return { time: delta[0]!.time, name: signals.io.name, attributes };
  });
  return all.sort((a, b) => Number(subnetOf(a) === OTHER) - Number(subnetOf(b) === OTHER));
}

const subnetOf = (row: Row) => row.attributes["wirespan.subnet.name"];

export const trace: TraceView = {
  meansNothing: { failed: "bytes are counted before it is known whether the connection fails" },
  options: [
    {
      flags: "-f, --format <unit>",
      doc: "b, k, m: bits, thousands, millions of bits; B, K, M: bytes, KiB, MiB (B)",
    },
    { flags: "-i, --interval <seconds>", doc: "seconds from table to table (1)" },
    { flags: "-J, --json", doc: "print JSON lines" },
  ],
  arguments: "[subnets]",
  operands: { subnets: { setting: "subnets", unit: "" } },
  interval: "1s",
  rows,
  heading: (shown) => (shown[0] ? [`[${date(shown[0].time)}]`] : []),
  columns(flags) {
    const unit = unitOf(flags);
    const amount = (key: string) => (row: Row) => {
      const amount = Number(row.attributes[key]) / unit;
      return Number.isInteger(amount) ? amount : amount.toFixed(1);
    };
    return [
      { title: "SUBNET", width: 22, cell: text("wirespan.subnet.name") },
      number("TX", 14, amount(SENT)),
      number("RX", 14, amount(RECEIVED)),
      ...(flags.wide
        ? [
            number("CONNECTIONS", 11, text(CONNECTIONS)),
            number("RETRANS", 7, text(RETRANSMITS)),
            number("DROPPED", 7, text(DROPPED)),
          ]
        : []),
    ];
  },
};
