// Which softirq, CPU or queue is overloaded?
import type { Heat, Host, Napi, Softirq } from "../../../store/answers.ts";
import { useData } from "../data.ts";
import { count, duration, percent, short } from "../format.ts";
import { Answer, Bar, Choice, Legend, Panel, Spark } from "../parts/common.tsx";
import { CpuMap, type CpuRow } from "../parts/cpu-map.tsx";
import { Heatmap } from "../parts/heatmap.tsx";
import { Table } from "../parts/table.tsx";
import { parameter, range } from "../state.ts";
import { Queues } from "./queues.tsx";

export function HostScreen() {
  const host = useData<Host>("host").value;
  return (
    <Answer
      of={host}
      plugins={["softirqs", "netqtop"]}
      isEmpty={({ softirqs, queues }) => softirqs.length + queues.length === 0}
    >
      {(data) => {
        const vector = parameter("vector") || "net_rx";
        const rows = cpuRows(data, vector);
        const [busiest] = rows.toSorted((a, b) => mean(b.shares) - mean(a.shares));
        return (
          <>
            <div class="columns">
              <div>
                <CpuTime data={data} rows={rows} vector={vector} />
                <Lateness vector={vector} cpu={busiest?.cpu} />
              </div>
              <div>
                <Queues queues={data.queues} failures={data.transmitFailures} />
                <QueueWait />
                <Budget napi={data.napi} seconds={data.seconds} />
              </div>
            </div>
            <Vectors data={data} />
          </>
        );
      }}
    </Answer>
  );
}

/** The share of each CPU's time in one vector, or in all; the last CPU first. */
function cpuRows({ softirqs, step }: Host, vector: string): readonly CpuRow[] {
  const { from, to } = range.value;
  const t0 = Math.floor(from / step) * step;
  const columns = Math.max(1, Math.ceil((to - t0) / step));
  const byCpu = new Map<number | undefined, (number | undefined)[]>();
  for (const { cpu, vector: of, line } of softirqs) {
    if (vector !== "all" && of !== vector) continue;
    const shares = byCpu.get(cpu) ?? new Array<number | undefined>(columns).fill(undefined);
    byCpu.set(cpu, shares);
    for (const [begin, seconds] of line) {
      const column = Math.round((begin - t0) / step);
      if (column >= 0 && column < columns) shares[column] = (shares[column] ?? 0) + seconds / step;
    }
  }
  return [...byCpu].map(([cpu, shares]) => ({ cpu, shares })).sort((a, b) => (b.cpu ?? 0) - (a.cpu ?? 0));
}

function mean(shares: CpuRow["shares"]): number {
  const known = shares.filter((share) => share !== undefined);
  return known.reduce((sum, share) => sum + share, 0) / Math.max(1, known.length);
}

function CpuTime(props: { data: Host; rows: readonly CpuRow[]; vector: string }) {
  const { data, rows, vector } = props;
  const vectors = [...new Set(data.softirqs.map((softirq) => softirq.vector))];
  const t0 = Math.floor(range.value.from / data.step) * data.step;
  const title = rows.some(({ cpu }) => cpu !== undefined) ? "Time in softirqs by CPU" : "Time in softirqs";
  return (
    <Panel
      title={title}
      note={`share of each ${duration(data.step)}`}
      right={<Legend hue="heat" few="0 %" many="100 %" />}
    >
      <div class="bar-of-choices inside">
        <Choice
          label="Vector"
          name="vector"
          value={vector}
          options={[...vectors.toSorted(), "all"].map((name) => [name, name] as const)}
        />
      </div>
      {rows.length === 0 ? (
        <p class="state">{vector} did not run in this range.</p>
      ) : (
        <CpuMap rows={rows} t0={t0} step={data.step} label={`${title}, ${vector}`} />
      )}
      {rows[0]?.cpu === undefined && (
        <p class="state">
          All CPUs together; <code>plugins.softirqs.perCpu: true</code> shows each.
        </p>
      )}
    </Panel>
  );
}

function Lateness(props: { vector: string; cpu: number | undefined }) {
  const { vector, cpu } = props;
  const only = vector === "all" ? "" : `&only=${vector}`;
  const parts =
    cpu === undefined
      ? [[`${vector}, all CPUs`, ""] as const]
      : [
          [`${vector} on CPU ${cpu}, the busiest`, `&cpu=${cpu}`] as const,
          [`${vector} on all other CPUs`, `&cpu=not+${cpu}`] as const,
        ];
  return (
    <>
      {parts.map(([note, limit]) => (
        <HeatPanel
          key={note}
          title="How late softirqs start"
          note={note}
          path={`heat?of=softirq${only}${limit}`}
          empty="It did not run in this range."
        />
      ))}
    </>
  );
}

function QueueWait() {
  return (
    <HeatPanel
      title="How long frames waited to be sent"
      note="in the queueing discipline"
      path="heat?of=qdisc"
      empty={
        <>
          Not measured: <code>plugins.netqtop.queueWait: true</code> measures it.
        </>
      }
    />
  );
}

function HeatPanel(props: {
  title: string;
  note: string;
  path: string;
  empty: Parameters<typeof Answer>[0]["empty"];
}) {
  const heat = useData<Heat>(props.path).value;
  const p99 = heat.state === "ready" && heat.data.p99 !== undefined && `p99 ${duration(heat.data.p99)}`;
  return (
    <Panel title={props.title} label={`${props.title}, ${props.note}`} note={props.note} right={p99}>
      <Answer of={heat} isEmpty={({ total }) => total === 0} empty={props.empty}>
        {(data) => (
          <Heatmap heat={data} label={`${props.title}, ${props.note}`} height={170} span={[1e-6, 0.01]} />
        )}
      </Answer>
    </Panel>
  );
}

function Budget(props: { napi: readonly Napi[]; seconds: number }) {
  const { napi, seconds } = props;
  if (napi.length === 0) return null;
  return (
    <Panel title="NAPI polls" note="used up: stopped by their budget, with packets left">
      <Table
        label="NAPI polls"
        rows={napi.toSorted((a, b) => b.exhausted - a.exhausted || b.polls - a.polls)}
        keyOf={({ cpu }) => String(cpu)}
        columns={[
          { head: "CPU", cell: ({ cpu }) => <b>{cpu ?? "all"}</b> },
          { head: "polls/s", isNumber: true, cell: ({ polls }) => short(polls / Math.max(1, seconds)) },
          {
            head: "packets/poll",
            isNumber: true,
            cell: ({ polls, packets }) => short(packets / Math.max(1, polls)),
          },
          {
            head: "used up",
            isNumber: true,
            cell: ({ polls, exhausted }) => (
              <span class={exhausted > 0.01 * polls ? "bad" : "dim"}>
                {percent(exhausted / Math.max(1, polls))}
              </span>
            ),
          },
        ]}
      />
    </Panel>
  );
}

/** One row for each vector, whatever the CPUs. */
interface Vector {
  readonly vector: string;
  readonly seconds: number;
  readonly line: Softirq["line"];
  readonly count?: number | undefined;
  readonly p50?: number | undefined;
  readonly p99?: number | undefined;
}

function byVector({ softirqs, latency }: Host): readonly Vector[] {
  return [...Map.groupBy(softirqs, ({ vector }) => vector)]
    .map(([vector, all]) => {
      const line = new Map<number, number>();
      for (const [begin, value] of all.flatMap((one) => one.line))
        line.set(begin, (line.get(begin) ?? 0) + value);
      return {
        vector,
        seconds: all.reduce((sum, one) => sum + one.seconds, 0),
        line: [...line].sort(([a], [b]) => a - b),
        ...latency.find((one) => one.vector === vector),
      };
    })
    .sort((a, b) => b.seconds - a.seconds);
}

function Vectors(props: { data: Host }) {
  const { data } = props;
  const rows = byVector(data);
  const most = Math.max(1e-9, ...rows.map(({ seconds }) => seconds));
  return (
    <Panel title="Softirqs" note="all CPUs together; share: of one CPU's time">
      <Table
        label="Softirqs"
        rows={rows}
        keyOf={({ vector }) => vector}
        columns={[
          { head: "vector", cell: ({ vector }) => <b>{vector}</b> },
          { head: "share", isNumber: true, cell: (one) => percent(one.seconds / Math.max(1, data.seconds)) },
          { head: "", name: "drawn", cell: ({ seconds }) => <Bar share={seconds / most} /> },
          { head: "runs", isNumber: true, cell: (one) => count(one.count) },
          { head: "late p50", isNumber: true, cell: ({ p50 }) => duration(p50) },
          {
            head: "late p99",
            isNumber: true,
            cell: ({ p99 }) => <span class={(p99 ?? 0) > 1e-3 ? "bad" : ""}>{duration(p99)}</span>,
          },
          {
            head: "trend",
            cell: ({ line, vector }) => (
              <Spark values={line.map(([, value]) => value)} label={`trend of ${vector}`} />
            ),
          },
        ]}
      />
    </Panel>
  );
}
