// bcc's view of softirqs.
import type { ExponentialHistogram, Metric } from "../../core/signals.ts";
import type { Flags, Row, TraceView } from "../../core/trace/view.ts";

function vectorOf(row: Row): string {
  return String(row.attributes["wirespan.softirq.vector"]);
}

function wanted({ count, dist }: Flags): string {
  if (dist) return "wirespan.softirq.duration";
  return count ? "wirespan.softirq.runs" : "wirespan.softirq.time";
}

function rows(delta: readonly Metric[], flags: Flags): Row[] {
  const name = wanted(flags);
  return delta
    .filter((m) => m.spec.name === name)
    .flatMap((m) =>
      m.points.map((p): Row => {
        const time = new Date(m.time.sec * 1000 + m.time.nsec / 1e6).toISOString();
        const value = typeof p.value === "number" ? { value: p.value } : { histogram: p.value };
        return { time, name, attributes: p.attributes, ...value };
      }),
    )
    .filter((row) => row.value !== 0 && row.histogram?.count !== 0)
    .sort((a, b) => (vectorOf(a) < vectorOf(b) ? -1 : 1));
}

const BAR = 40;

/** Powers of two of the unit, as bcc prints them; the kernel's finer buckets are summed. */
function powers(h: ExponentialHistogram, unit: number): Map<number, number> {
  const slots = new Map<number, number>();
  for (let i = 0; i < h.counts.length; i++) {
    const upper = 2 ** ((h.offset + i + 1) / 2 ** h.scale) * unit;
    const slot = Math.max(0, Math.ceil(Math.log2(upper)));
    slots.set(slot, (slots.get(slot) ?? 0) + h.counts[i]!);
  }
  return slots;
}

function histogram(row: Row, nanoseconds: boolean): string[] {
  const h = row.histogram!;
  const slots = powers(h, nanoseconds ? 1e9 : 1e6);
  const last = Math.max(...slots.keys());
  const most = Math.max(...slots.values());
  const lines = [
    "",
    `softirq = ${vectorOf(row)}`,
    `     ${nanoseconds ? "nsecs" : "usecs"}               : count     distribution`,
  ];
  for (let slot = 0; slot <= last; slot++) {
    const count = slots.get(slot) ?? 0;
    const range = `${String(slot ? 2 ** (slot - 1) + (slot > 1 ? 0 : 0) : 0).padStart(10)} -> ${String(2 ** slot).padEnd(10)}`;
    const stars = "*".repeat(Math.round((count / most) * BAR)).padEnd(BAR);
    lines.push(`${range} : ${String(count).padEnd(8)} |${stars}|`);
  }
  return lines;
}

export const trace: TraceView = {
  options: [
    { flags: "-T, --timestamp", doc: "print the time with each interval" },
    { flags: "-N, --nanoseconds", doc: "nanoseconds instead of microseconds" },
    { flags: "-C, --count", doc: "how often each ran instead of how long" },
    { flags: "-d, --dist", doc: "histograms" },
  ],
  arguments: "[interval] [count]",
  rows,
  columns: ({ nanoseconds, count, timestamp }) => [
    ...(timestamp ? [{ title: "TIME", width: 8, cell: (row: Row) => row.time.slice(11, 19) }] : []),
    { title: "SOFTIRQ", width: 16, cell: vectorOf },
    {
      title: count ? "TOTAL_count" : nanoseconds ? "TOTAL_nsecs" : "TOTAL_usecs",
      width: 14,
      align: "right",
      cell: (row) => Math.round((row.value ?? 0) * (count ? 1 : nanoseconds ? 1e9 : 1e6)),
    },
  ],
  render: (all, { dist, nanoseconds }) =>
    dist ? all.flatMap((row) => histogram(row, nanoseconds === true)) : undefined,
};
