// Which connections are they?
import { useState } from "preact/hooks";
import type { List, ListRow } from "../../../store/answers.ts";
import { useData } from "../data.ts";
import { clock, count, duration } from "../format.ts";
import { Answer, Choice, Panel } from "../parts/common.tsx";
import { BYTES, ENDS, optional, QUALITY } from "../parts/connection-columns.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { go, parameter, term } from "../state.ts";
import { OpenNow } from "./open-now.tsx";

const KINDS = [
  ["connection", "Ended"],
  ["open", "Open now"],
  ["connect", "Attempts to connect"],
  ["accept", "Accepted"],
] as const;

export const COLUMNS: readonly Column<ListRow>[] = [
  {
    head: "ended",
    order: "time",
    cell: ({ start, duration: took }) => <code>{clock(start + took, "ms")}</code>,
  },
  ...ENDS,
  { head: "took", isNumber: true, order: "duration", cell: ({ duration: took }) => duration(took) },
  ...BYTES,
  ...QUALITY,
  {
    head: "outcome",
    cell: ({ error, ended }) => (error ? <span class="tag bad">✕ {error}</span> : (ended ?? "")),
    term: ({ error, ended }) => (error ? term("cause", error) : optional("ended", ended)),
  },
];

export function Connections() {
  const of = parameter("of") || "connection";
  return (
    <>
      <div class="bar-of-choices">
        <Choice label="What" name="of" value={of} options={KINDS} clears={["order"]} />
      </div>
      {of === "open" ? <OpenNow /> : <Kept of={of} />}
    </>
  );
}

/** Those that have ended, as far as they are kept singly. */
function Kept(props: { of: string }) {
  const order = parameter("order") || "time";
  const [after, setAfter] = useState(0);
  const list = useData<List>(
    `connections?of=${props.of}&order=${order}${after ? `&after=${after}` : ""}`,
  ).value;
  return (
    <Panel
      title="Connections"
      note="click a value to filter by it, with Alt to leave it out"
      right={list.state === "ready" && `${count(list.data.total)} that are kept singly`}
    >
      <Answer of={list} isEmpty={({ total }) => total === 0}>
        {({ rows, next }) => (
          <>
            <Table
              label="Connections"
              columns={COLUMNS}
              rows={rows}
              keyOf={({ trace, start, direction }) => `${trace} ${start} ${direction}`}
              onOpen={({ trace }) => go({}, `/c/${trace}`)}
              order={order}
              onOrder={(chosen) => go({ order: chosen })}
            />
            <p class="state">
              {after > 0 && (
                <button type="button" class="button" onClick={() => setAfter(0)}>
                  First page
                </button>
              )}
              {next !== undefined && (
                <button type="button" class="button" onClick={() => setAfter(next)}>
                  Next page
                </button>
              )}
            </p>
          </>
        )}
      </Answer>
    </Panel>
  );
}
