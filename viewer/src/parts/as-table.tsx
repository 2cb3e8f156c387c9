// The content of pictures as tables.
import type { Heat } from "../../../store/answers.ts";
import { clock, count, duration, percent } from "../format.ts";
import { parameter } from "../state.ts";
import type { Stack } from "./bars.tsx";
import type { CpuRow } from "./cpu-map.tsx";
import { type Lane, synLabel } from "./lanes.ts";
import { Table } from "./table.tsx";

/** Whether pictures are shown as tables. */
export const asTables = () => parameter("view") === "table";

/** The upper bound of the bucket that holds the quantile `q` of a column. */
function quantileOf({ bounds, counts }: Heat, column: number, total: number, q: number): number | undefined {
  let rest = Math.max(1, Math.ceil(q * total));
  return bounds.find((_, row) => {
    rest -= counts[row]![column]!;
    return rest <= 0;
  });
}

export function HeatTable(props: { heat: Heat; label: string }) {
  const { heat, label } = props;
  const rows = Array.from({ length: heat.columns }, (_, column) => {
    const total = heat.counts.reduce((sum, row) => sum + row[column]!, 0);
    const quantile = (q: number) => quantileOf(heat, column, total, q);
    return { time: heat.t0 + column * heat.step, total, quantile };
  }).filter(({ total }) => total > 0);
  return (
    <Table
      label={label}
      rows={rows.toReversed()}
      keyOf={({ time }) => String(time)}
      columns={[
        { head: "from", cell: ({ time }) => <code>{clock(time)}</code> },
        { head: "values", isNumber: true, cell: ({ total }) => count(total) },
        { head: "median up to", isNumber: true, cell: ({ quantile }) => duration(quantile(0.5)) },
        { head: "99 % up to", isNumber: true, cell: ({ quantile }) => duration(quantile(0.99)) },
        { head: "all up to", isNumber: true, cell: ({ quantile }) => duration(quantile(1)) },
      ]}
    />
  );
}

export function CpuTable(props: { rows: readonly CpuRow[]; t0: number; step: number; label: string }) {
  const { t0, step, label } = props;
  const rows = props.rows.map(({ cpu, shares }) => {
    const known = shares.filter((share) => share !== undefined);
    const most = Math.max(0, ...known);
    const mean = known.reduce((sum, share) => sum + share, 0) / Math.max(1, known.length);
    return {
      name: cpu === undefined ? "all" : String(cpu),
      mean,
      most,
      at: t0 + shares.indexOf(most) * step,
    };
  });
  return (
    <Table
      label={label}
      rows={rows}
      keyOf={({ name }) => name}
      columns={[
        { head: "CPU", cell: ({ name }) => <b>{name}</b> },
        { head: "on average", isNumber: true, cell: ({ mean }) => percent(mean) },
        { head: "at most", isNumber: true, cell: ({ most }) => percent(most) },
        { head: "from", cell: ({ most, at }) => most > 0 && <code>{clock(at)}</code> },
      ]}
    />
  );
}

export function BarsTable(props: { up: readonly Stack[]; down: readonly Stack[]; label: string }) {
  const { up, down, label } = props;
  const times = new Map<number, { up: number; down: number }>();
  for (const [way, stacks] of [["up", up] as const, ["down", down] as const])
    for (const [t, value] of stacks.flatMap(({ line }) => line)) {
      const sum = times.get(t) ?? { up: 0, down: 0 };
      sum[way] += value;
      times.set(t, sum);
    }
  return (
    <Table
      label={label}
      rows={[...times].sort(([a], [b]) => b - a)}
      keyOf={([t]) => String(t)}
      columns={[
        { head: "from", cell: ([t]) => <code>{clock(t)}</code> },
        { head: "dropped", isNumber: true, cell: ([, sum]) => count(sum.up) },
        { head: "retransmitted", isNumber: true, cell: ([, sum]) => count(sum.down) },
      ]}
    />
  );
}

export function LaneTable(props: { lanes: readonly Lane[]; first: number }) {
  const { lanes, first } = props;
  const rows = lanes.flatMap((lane) =>
    [
      ...lane.phases,
      ...lane.marks.map(({ at, label }) => ({ from: at, to: at, label })),
      ...(lane.syns ?? []).map((syn) => ({
        from: syn.sent,
        to: syn.arrived ?? syn.sent,
        label: synLabel(syn),
      })),
    ]
      .sort((a, b) => a.from - b.from)
      .map((what, i) => ({ lane, what, i })),
  );
  return (
    <Table
      label="Where the time went"
      rows={rows}
      keyOf={({ lane: { row }, i }) => `${row.span} ${row.start} ${i}`}
      columns={[
        { head: "whose", cell: ({ lane }) => `${"· ".repeat(Math.min(lane.depth, 6))}${lane.title}` },
        { head: "process", cell: ({ lane }) => lane.note },
        { head: "began after", isNumber: true, cell: ({ what }) => duration(what.from - first) },
        { head: "took", isNumber: true, cell: ({ what }) => duration(what.to - what.from) },
        { head: "what", cell: ({ what }) => what.label },
      ]}
    />
  );
}
