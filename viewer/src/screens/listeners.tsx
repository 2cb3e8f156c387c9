// Which listener overflows, and who is rejected?
import type { Listeners as Answered, Listener } from "../../../store/answers.ts";
import { term } from "../../../store/query/term.ts";
import { useData } from "../data.ts";
import { count, duration, short } from "../format.ts";
import { Answer, Bar, Panel, Spark } from "../parts/common.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { filter, go } from "../state.ts";

/** Metrics only know the service. */
const matches = ({ service }: Listener) =>
  !/service:/.test(filter.value) || filter.value.includes(term("service", service));

export function Listeners() {
  const found = useData<Answered>("listeners").value;
  return (
    <Panel title="Listeners" note="those that reject first, then the fullest">
      <Answer
        of={found}
        plugins={["solisten", "tcpaccept", "tcpdrop"]}
        isEmpty={({ listeners }) => listeners.filter(matches).length === 0}
        empty="No socket listened in this range."
      >
        {({ listeners, seconds }) => (
          <Table
            label="Listeners"
            rows={listeners.filter(matches)}
            keyOf={({ resource, port }) => `${resource} ${port}`}
            onOpen={({ service, port }) =>
              go({ of: "accept", q: `${term("service", service)} port:${port}` }, "/connections")
            }
            columns={columns(Math.max(1, seconds))}
          />
        )}
      </Answer>
    </Panel>
  );
}

/** Its queue is full, or it rejects. */
const isBad = ({ rejected, mostWaiting, limit }: Listener) =>
  rejected > 0 || (limit > 0 && mostWaiting > limit);
const isNearlyFull = ({ mostWaiting, limit }: Listener) => mostWaiting >= 0.8 * limit;

const columns = (seconds: number): readonly Column<Listener>[] => [
  {
    head: "listener",
    cell: (listener) => (
      <>
        {isBad(listener) && <span class="bad">◆ </span>}
        <b>{listener.service}</b> <code>:{listener.port}</code>
      </>
    ),
  },
  { head: "process", cell: ({ process }) => process },
  {
    head: "accept queue, at most",
    cell: (listener) => (
      <span class="level">
        <Bar
          share={listener.limit > 0 ? listener.mostWaiting / listener.limit : 0}
          tone={isBad(listener) ? "bad" : isNearlyFull(listener) ? "warn" : undefined}
        />
        <span class={isBad(listener) ? "bad" : ""}>{count(listener.mostWaiting)}</span>
      </span>
    ),
  },
  {
    head: "now",
    isNumber: true,
    cell: ({ isOpen, waiting, limit }) =>
      isOpen ? (
        <>
          <b>{count(waiting)}</b> <span class="dim">of {count(limit)}</span>
        </>
      ) : (
        <span class="tag warn">▲ closed</span>
      ),
  },
  {
    head: "trend",
    cell: ({ line, service }) => (
      <Spark values={line.map(([, value]) => value)} label={`queue of ${service} over the range`} />
    ),
  },
  { head: "accepted/s", isNumber: true, cell: ({ accepted }) => short(accepted / seconds) },
  {
    head: "rejected",
    isNumber: true,
    cell: ({ rejected }) => <span class={rejected > 0 ? "bad" : "dim"}>{count(rejected)}</span>,
  },
  { head: "waited p50", isNumber: true, cell: ({ waitP50 }) => duration(waitP50) },
  {
    head: "waited p99",
    isNumber: true,
    cell: ({ waitP99 }) => <span class={(waitP99 ?? 0) > 0.2 ? "bad" : ""}>{duration(waitP99)}</span>,
  },
  {
    head: "accept() failed",
    isNumber: true,
    cell: ({ errors }) => <span class={errors > 0 ? "bad" : "dim"}>{count(errors)}</span>,
  },
];
