// Which softirq, CPU or queue is the hog?
import { useData } from "../data.ts";
import { bytes, count, duration, percent } from "../format.ts";
import { Answer, Bar, Panel, Spark } from "../parts/common.tsx";
import { Table } from "../parts/table.tsx";
import { range } from "../state.ts";

interface Softirq {
  readonly vector: string;
  readonly cpu?: number;
  readonly seconds: number;
  readonly line: readonly (readonly [number, number])[];
}

interface Queue {
  readonly netns: string;
  readonly interface: string;
  readonly queue: number;
  readonly direction: string;
  readonly packets: number;
  readonly bytes: number;
  readonly line: readonly (readonly [number, number])[];
}

interface Host {
  readonly softirqs: readonly Softirq[];
  readonly latency: readonly {
    readonly vector: string;
    readonly p50?: number;
    readonly p99?: number;
    readonly count: number;
  }[];
  readonly napi: { readonly polls: number; readonly exhausted: number };
  readonly transmitFailures: number;
  readonly queues: readonly Queue[];
}

export function HostScreen() {
  const host = useData<Host>("host").value;
  const seconds = range.value.length;
  return (
    <Answer of={host} isEmpty={({ softirqs, queues }) => softirqs.length + queues.length === 0}>
      {(data) => (
        <>
          <div class="columns even">
            <Panel title="Time in softirqs" note="share of the range, of one CPU">
              <Table
                label="Time in softirqs"
                rows={data.softirqs.toSorted((a, b) => b.seconds - a.seconds)}
                keyOf={({ vector, cpu }) => `${vector} ${cpu}`}
                columns={[
                  { head: "vector", cell: ({ vector }) => <b>{vector}</b> },
                  { head: "CPU", isNumber: true, cell: ({ cpu }) => cpu ?? "all" },
                  {
                    head: "share",
                    isNumber: true,
                    cell: (one) => percent(one.seconds / observed(one, seconds)),
                  },
                  {
                    head: "drawn",
                    cell: (one) => (
                      <Bar
                        share={one.seconds / observed(one, seconds)}
                        tone={one.seconds / observed(one, seconds) > 0.6 ? "bad" : undefined}
                      />
                    ),
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
            <Panel
              title="How late softirqs start"
              right={`NAPI: ${percent(data.napi.polls > 0 ? data.napi.exhausted / data.napi.polls : 0)} of ${count(data.napi.polls)} polls used up their budget`}
            >
              <Table
                label="How late softirqs start"
                rows={data.latency.toSorted((a, b) => (b.p99 ?? 0) - (a.p99 ?? 0))}
                keyOf={({ vector }) => vector}
                columns={[
                  { head: "vector", cell: ({ vector }) => <b>{vector}</b> },
                  { head: "runs", isNumber: true, cell: (one) => count(one.count) },
                  { head: "p50", isNumber: true, cell: ({ p50 }) => duration(p50) },
                  {
                    head: "p99",
                    isNumber: true,
                    cell: ({ p99 }) => <span class={(p99 ?? 0) > 1e-3 ? "bad" : ""}>{duration(p99)}</span>,
                  },
                ]}
              />
            </Panel>
          </div>
          <Queues queues={data.queues} failures={data.transmitFailures} />
        </>
      )}
    </Answer>
  );
}

/** Seconds of which there are values: right after a start, fewer than the range has. */
function observed({ line }: Softirq, seconds: number): number {
  const step = line.length > 1 ? line[1]![0] - line[0]![0] : 10;
  return Math.min(seconds, Math.max(1, line.length * step));
}

function Queues(props: { queues: readonly Queue[]; failures: number }) {
  const { queues, failures } = props;
  const device = (queue: Queue) => `${queue.netns} ${queue.interface} ${queue.direction}`;
  const totals = new Map<string, { packets: number; queues: number }>();
  for (const queue of queues) {
    const total = totals.get(device(queue)) ?? { packets: 0, queues: 0 };
    totals.set(device(queue), { packets: total.packets + queue.packets, queues: total.queues + 1 });
  }
  const share = (queue: Queue) => queue.packets / Math.max(1, totals.get(device(queue))!.packets);
  const isUnfair = (queue: Queue) => {
    const { queues: n } = totals.get(device(queue))!;
    return n > 1 && share(queue) >= Math.min(0.95, 2 / n);
  };
  return (
    <Panel
      title="Queues of interfaces"
      note="share: of the packets of its interface and direction"
      right={failures > 0 && `${count(failures)} frames that drivers did not accept`}
    >
      {queues.length === 0 ? (
        <p class="state">No frames passed an interface in this time; loopback is left out.</p>
      ) : (
        <Table
          label="Queues of interfaces"
          rows={queues.toSorted((a, b) => device(a).localeCompare(device(b)) || a.queue - b.queue)}
          keyOf={(queue) => `${device(queue)} ${queue.queue}`}
          columns={[
            { head: "interface", cell: (queue) => <b>{queue.interface}</b> },
            { head: "namespace", cell: ({ netns }) => <code>{netns}</code> },
            { head: "direction", cell: ({ direction }) => direction },
            { head: "queue", isNumber: true, cell: ({ queue }) => queue },
            {
              head: "share",
              isNumber: true,
              cell: (queue) => `${isUnfair(queue) ? "▲ " : ""}${percent(share(queue))}`,
            },
            {
              head: "drawn",
              cell: (queue) => <Bar share={share(queue)} tone={isUnfair(queue) ? "warn" : undefined} />,
            },
            { head: "packets", isNumber: true, cell: ({ packets }) => count(packets) },
            { head: "bytes", isNumber: true, cell: (queue) => bytes(queue.bytes) },
            {
              head: "mean size",
              isNumber: true,
              cell: (queue) => bytes(queue.packets > 0 ? Math.round(queue.bytes / queue.packets) : undefined),
            },
            {
              head: "trend",
              cell: ({ line, interface: name }) => (
                <Spark values={line.map(([, value]) => value)} label={`trend of ${name}`} />
              ),
            },
          ]}
        />
      )}
    </Panel>
  );
}
