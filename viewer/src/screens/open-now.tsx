// Currently open connections, listed by the agent on request.
import type { Living, OpenConnection } from "../../../store/answers.ts";
import { useData } from "../data.ts";
import { bytes, count, duration } from "../format.ts";
import { Answer, Panel } from "../parts/common.tsx";
import { BYTES, ENDS, QUALITY } from "../parts/connection-columns.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { filter, go, openConnection, parameter } from "../state.ts";

/** A queue with waiting data. */
const queue = (size: number) => <span class={size > 0 ? "" : "dim"}>{bytes(size)}</span>;

/** States in which a connection should not stay. */
const PASSING = new Set(["syn_sent", "syn_received", "close_wait", "last_ack", "closing"]);

const COLUMNS: readonly Column<OpenConnection>[] = [
  { head: "open for", isNumber: true, order: "age", cell: ({ age }) => duration(age) },
  ...ENDS,
  {
    head: "state",
    cell: ({ state }) => (PASSING.has(state) ? <span class="tag warn">▲ {state}</span> : state),
  },
  ...BYTES,
  { head: "not acknowledged", isNumber: true, order: "sendQueue", cell: ({ sendQueue }) => queue(sendQueue) },
  {
    head: "not read",
    isNumber: true,
    order: "receiveQueue",
    cell: ({ receiveQueue }) => queue(receiveQueue),
  },
  ...QUALITY,
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
            onOpen={({ trace }) => openConnection(trace, rows)}
            order={order}
            onOrder={(chosen) => go({ order: chosen })}
          />
        )}
      </Answer>
    </Panel>
  );
}

/** How many connections are shown, out of how many. */
function says({ total, listed, matching, rows }: Living): string {
  const shown = rows.length < matching ? `${count(rows.length)} of ${count(matching)}` : count(matching);
  const missing = listed < total ? `; ${count(total - listed)} in which nothing waits are not listed` : "";
  return `${shown} shown${missing}`;
}
