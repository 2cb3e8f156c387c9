// The individually stored connections, grouped by the value of a field.
import type { Group, Groups } from "../../../store/answers.ts";
import { term } from "../../../store/query/term.ts";
import { useData } from "../data.ts";
import { bytes, count, duration } from "../format.ts";
import { Answer, Bar, Panel } from "../parts/common.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { go, parameter, toggleTerm } from "../state.ts";

/** Fields, as filters name them. */
const FIELDS = [
  ...["service", "process", "pid", "uid", "peer", "port"],
  ...["netns", "container", "direction", "cause", "ended"],
];

/** Selects the field by which the rows are grouped. */
export function GroupBy() {
  return (
    <select
      aria-label="Group by"
      value={parameter("group")}
      onChange={(event) => go({ group: event.currentTarget.value })}
    >
      <option value="">one by one</option>
      {FIELDS.map((field) => (
        <option key={field} value={field}>
          by {field}
        </option>
      ))}
    </select>
  );
}

export function Grouped(props: { of: string; by: string }) {
  const { of, by } = props;
  const found = useData<Groups>(`groups?of=${of}&by=${encodeURIComponent(by)}`).value;
  return (
    <Panel
      title={`Connections by ${by}`}
      note="those stored individually; a value opens its connections"
      right={found.state === "ready" && `${count(found.data.total)} of ${count(found.data.values)} values`}
    >
      <Answer of={found} isEmpty={({ total }) => total === 0}>
        {({ groups, total }) => (
          <Table
            label={`Connections by ${by}`}
            rows={groups}
            keyOf={({ value }) => value ?? ""}
            canOpen={({ value }) => value !== undefined}
            onOpen={({ value }) => {
              toggleTerm(term(by, value!));
              go({ group: undefined });
            }}
            columns={columns(by, total)}
          />
        )}
      </Answer>
    </Panel>
  );
}

function columns(by: string, total: number): readonly Column<Group>[] {
  return [
    { head: by, cell: ({ value }) => (value === undefined ? <span class="dim">none</span> : <b>{value}</b>) },
    { head: "", name: "share, drawn", cell: (group) => <Bar share={group.count / Math.max(1, total)} /> },
    { head: "connections", isNumber: true, cell: (group) => count(group.count) },
    {
      head: "failed or reset",
      isNumber: true,
      cell: ({ failed }) => <span class={failed ? "bad" : "dim"}>{count(failed)}</span>,
    },
    { head: "took, p50", isNumber: true, cell: ({ p50 }) => duration(p50) },
    { head: "took, p99", isNumber: true, cell: ({ p99 }) => duration(p99) },
    { head: "out", isNumber: true, cell: ({ sent }) => bytes(sent) },
    { head: "in", isNumber: true, cell: ({ received }) => bytes(received) },
    {
      head: "retransmitted",
      isNumber: true,
      cell: ({ retransmits }) => <span class={retransmits ? "bad" : "dim"}>{count(retransmits)}</span>,
    },
  ];
}
