// The edges that move most, wait longest, retransmit or fail most: each as a sum, and the others together.
import type { MapEdge, Topology } from "../../../store/answers.ts";
import { term } from "../../../store/query/term.ts";
import type { Loaded } from "../data.ts";
import { bytes, count, duration, percent } from "../format.ts";
import { Answer, Panel } from "../parts/common.tsx";
import { Table } from "../parts/table.tsx";
import { go, parameter, range } from "../state.ts";

/** Rows, before the one of the others. */
const FIRST = 8;

interface Mover {
  /** Absent: the others. */
  readonly edge?: MapEdge;
  readonly name: string;
  readonly counts: Readonly<Record<string, number>>;
}

const of = ({ counts }: Pick<MapEdge, "counts">, name: string) => counts[name] ?? 0;

/** What they can be ordered by: the title, and the value that is greatest first. */
const ORDERS: Readonly<Record<string, readonly [title: string, value: (edge: MapEdge) => number]>> = {
  moved: ["Who moves most", (edge) => of(edge, "sent") + of(edge, "received")],
  rtt: ["Who has the longest round trips", ({ rttP50 = 0 }) => rttP50],
  again: ["Who retransmits most", (edge) => of(edge, "retransmits") + of(edge, "synsAgain")],
  failed: ["Whose attempts fail most", (edge) => of(edge, "failed")],
};

export function Movers(props: { edges: Loaded<Topology> }) {
  const order = Object.hasOwn(ORDERS, parameter("top")) ? parameter("top") : "moved";
  const [title, value] = ORDERS[order]!;
  return (
    <Panel title={title} note="per second, as openers see it">
      <Answer of={props.edges} isEmpty={({ edges }) => edges.length === 0}>
        {({ edges }) => {
          const sorted = edges
            .filter(({ seenBy }) => seenBy === "opener")
            .toSorted((a, b) => value(b) - value(a) || (a.from < b.from ? -1 : 1));
          return <MoverTable rows={moversOf(sorted)} order={order} />;
        }}
      </Answer>
    </Panel>
  );
}

function moversOf(sorted: readonly MapEdge[]): Mover[] {
  const movers = sorted
    .slice(0, FIRST)
    .map((edge): Mover => ({ edge, name: edge.from, counts: edge.counts }));
  const others = sorted.slice(FIRST);
  if (others.length === 0) return movers;
  const counts: Record<string, number> = {};
  for (const edge of others)
    for (const [name, n] of Object.entries(edge.counts)) counts[name] = (counts[name] ?? 0) + n;
  return [...movers, { name: `others (${others.length})`, counts }];
}

function MoverTable(props: { rows: readonly Mover[]; order: string }) {
  const seconds = range.value.length;
  const again = ({ counts }: Mover) =>
    counts.segments ? (counts.retransmits ?? 0) / counts.segments : undefined;
  return (
    <Table
      label="Movers"
      rows={props.rows}
      keyOf={({ edge, name }) => (edge ? `${edge.from} ${edge.to} ${edge.port}` : name)}
      canOpen={({ edge }) => edge !== undefined}
      onOpen={({ edge }) =>
        edge && go({ q: `${term("service", edge.from)} port:${edge.port}` }, "/connections")
      }
      order={props.order}
      onOrder={(top) => go({ top })}
      columns={[
        { head: "from", cell: ({ edge, name }) => (edge ? <b>{name}</b> : name) },
        { head: "to", cell: ({ edge }) => edge && <code>{`${edge.to} :${edge.port}`}</code> },
        { head: "out", isNumber: true, order: "moved", cell: (row) => bytes(of(row, "sent") / seconds) },
        { head: "in", isNumber: true, cell: (row) => bytes(of(row, "received") / seconds) },
        { head: "rtt", isNumber: true, order: "rtt", cell: ({ edge }) => edge && duration(edge.rttP50) },
        {
          head: "again",
          isNumber: true,
          order: "again",
          cell: (row) => <span class={(again(row) ?? 0) > 0.01 ? "bad" : ""}>{percent(again(row))}</span>,
        },
        {
          head: "failed",
          isNumber: true,
          order: "failed",
          cell: (row) => <span class={of(row, "failed") ? "bad" : "dim"}>{count(of(row, "failed"))}</span>,
        },
      ]}
    />
  );
}
