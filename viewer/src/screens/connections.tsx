// Which connections are they?
import { useState } from "preact/hooks";
import type { Heat, List, ListRow } from "../../../store/answers.ts";
import { term } from "../../../store/query/term.ts";
import { type Loaded, useData, useDataNowAndThen } from "../data.ts";
import { clock, count, duration } from "../format.ts";
import { Answer, Choice, Panel } from "../parts/common.tsx";
import { BYTES, ENDS, optional, QUALITY } from "../parts/connection-columns.tsx";
import { HeadHistogram } from "../parts/head-histogram.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { go, openConnection, parameter } from "../state.ts";
import { GroupBy, Grouped } from "./groups.tsx";
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
  const group = parameter("group");
  return (
    <>
      <div class="bar-of-choices">
        <Choice label="What" name="of" value={of} options={KINDS} clears={["order"]} />
        {of !== "open" && <GroupBy />}
      </div>
      {of === "open" ? <OpenNow /> : group ? <Grouped of={of} by={group} /> : <Kept of={of} />}
    </>
  );
}

/** The sums for a column of a list, drawn as a histogram in its header. */
const SUMMED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  connection: { took: "life", rtt: "rtt" },
  connect: { took: "connect" },
  accept: { took: "accept" },
};

/** Columns with a histogram of all values, not only of individually stored connections. */
function useColumns(of: string): readonly Column<ListRow>[] {
  const { took, rtt } = SUMMED[of] ?? {};
  const heats: Readonly<Record<string, Loaded<Heat>>> = {
    took: useDataNowAndThen<Heat>(took && `heat?of=${took}`).value,
    rtt: useDataNowAndThen<Heat>(rtt && `heat?of=${rtt}`).value,
  };
  return COLUMNS.map((column) => {
    const heat = heats[column.head];
    if (heat?.state !== "ready") return column;
    return { ...column, picture: <HeadHistogram of={heat.data} label={column.head} /> };
  });
}

/** Ended connections that are stored individually. */
function Kept(props: { of: string }) {
  const order = parameter("order") || "time";
  const [after, setAfter] = useState(0);
  const columns = useColumns(props.of);
  const list = useData<List>(
    `connections?of=${props.of}&order=${order}${after ? `&after=${after}` : ""}`,
  ).value;
  return (
    <Panel
      title="Connections"
      note="click a value to filter by it, with Alt to leave it out"
      right={list.state === "ready" && `${count(list.data.total)} stored individually`}
    >
      <Answer of={list} isEmpty={({ total }) => total === 0}>
        {({ rows, next }) => (
          <>
            <Table
              label="Connections"
              columns={columns}
              rows={rows}
              keyOf={({ trace, start, direction }) => `${trace} ${start} ${direction}`}
              onOpen={({ trace }) => openConnection(trace, rows)}
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
