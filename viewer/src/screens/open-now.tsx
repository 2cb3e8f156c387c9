// The connections that are open now, as the agent lists them when it is asked.
import type { Living, OpenConnection } from "../../../store/answers.ts";
import { useData } from "../data.ts";
import { bytes, count, duration } from "../format.ts";
import { Answer, Panel } from "../parts/common.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { filter, go, parameter, term } from "../state.ts";

const optional = (field: string, value: string | number | undefined) =>
  value === undefined ? undefined : term(field, value);

/** A queue: what is in it waits for somebody. */
const queue = (size: number) => <span class={size > 0 ? "" : "dim"}>{bytes(size)}</span>;

/** States in which a connection should not stay. */
const PASSING = new Set(["syn_sent", "syn_received", "close_wait", "last_ack", "closing"]);

const COLUMNS: readonly Column<OpenConnection>[] = [
  { head: "open for", isNumber: true, order: "age", cell: ({ age }) => duration(age) },
  {
    head: "service",
    cell: ({ service }) => <b>{service}</b>,
    term: ({ service }) => term("service", service),
  },
  {
    head: "process",
    cell: ({ process, pid }) => `${process ?? ""} ${pid ?? ""}`,
    term: ({ pid }) => optional("pid", pid),
  },
  {
    head: "way",
    cell: ({ direction }) => ({ outbound: "→", inbound: "←" })[direction ?? ""] ?? "?",
    term: ({ direction }) => optional("direction", direction),
  },
  { head: "peer", cell: ({ peer }) => <code>{peer}</code>, term: ({ peer }) => optional("peer", peer) },
  {
    head: "port",
    isNumber: true,
    cell: ({ port }) => <code>{port}</code>,
    term: ({ port }) => optional("port", port),
  },
  {
    head: "state",
    cell: ({ state }) => (PASSING.has(state) ? <span class="tag warn">▲ {state}</span> : state),
  },
  { head: "out", isNumber: true, order: "sent", cell: ({ sent }) => bytes(sent) },
  { head: "in", isNumber: true, order: "received", cell: ({ received }) => bytes(received) },
  { head: "not acknowledged", isNumber: true, order: "sendQueue", cell: ({ sendQueue }) => queue(sendQueue) },
  {
    head: "not read",
    isNumber: true,
    order: "receiveQueue",
    cell: ({ receiveQueue }) => queue(receiveQueue),
  },
  { head: "rtt", isNumber: true, order: "rtt", cell: ({ rtt }) => duration(rtt) },
  {
    head: "retransmitted",
    isNumber: true,
    order: "retransmits",
    cell: ({ retransmits }) => <span class={retransmits ? "bad" : "dim"}>{count(retransmits)}</span>,
  },
];

export function OpenNow() {
  const order = parameter("order") || "age";
  const q = filter.value ? `&q=${encodeURIComponent(filter.value)}` : "";
  const living = useData<Living>(`living?order=${order}${q}`, false).value;
  return (
    <Panel
      title="Open now"
      note="asked of the agent each second; the range does not apply"
      right={living.state === "ready" && says(living.data)}
    >
      <Answer of={living} isEmpty={({ matching }) => matching === 0} empty="No connection is open.">
        {({ rows }) => (
          <Table
            label="Open now"
            columns={COLUMNS}
            rows={rows}
            keyOf={({ connection, direction }) => `${connection} ${direction}`}
            onOpen={({ trace }) => go({}, `/c/${trace}`)}
            order={order}
            onOrder={(chosen) => go({ order: chosen })}
          />
        )}
      </Answer>
    </Panel>
  );
}

/** How many of how many are shown. */
function says({ total, listed, matching, rows }: Living): string {
  const shown = rows.length < matching ? `${count(rows.length)} of ${count(matching)}` : count(matching);
  const missing = listed < total ? `; ${count(total - listed)} in which nothing waits are not listed` : "";
  return `${shown} shown${missing}`;
}
