// Which listener overflows, and who is rejected?
import { useData } from "../data.ts";
import { count, percent } from "../format.ts";
import { Answer, Bar, Panel } from "../parts/common.tsx";
import { Table } from "../parts/table.tsx";
import { filter, go, term } from "../state.ts";

interface Listener {
  readonly service: string;
  readonly resource: number;
  readonly port: number;
  readonly process: string;
  readonly waiting: number;
  readonly mostWaiting: number;
  readonly limit: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly errors: number;
}

/** Sums of metrics know the service alone. */
const matches = ({ service }: Listener) =>
  !/service:/.test(filter.value) || filter.value.includes(term("service", service));

export function Listeners() {
  const found = useData<{ listeners: readonly Listener[] }>("listeners").value;
  return (
    <Panel
      title="Listeners"
      note="those that reject first, then the fullest; queues are looked at when metrics are collected"
    >
      <Answer
        of={found}
        isEmpty={({ listeners }) => listeners.filter(matches).length === 0}
        empty="No socket listened in this time."
      >
        {({ listeners }) => (
          <Table
            label="Listeners"
            rows={listeners.filter(matches)}
            keyOf={({ resource, port }) => `${resource} ${port}`}
            onOpen={({ service, port }) =>
              go({ of: "accept", q: `${term("service", service)} port:${port}` }, "/connections")
            }
            columns={[
              {
                head: "listener",
                cell: ({ service, port, rejected }) => (
                  <>
                    {rejected > 0 && "◆ "}
                    <b>{service}</b> <code>:{port}</code>
                  </>
                ),
              },
              { head: "process", cell: ({ process }) => process },
              {
                head: "accept queue",
                cell: ({ mostWaiting, limit, rejected }) => (
                  <Bar
                    share={limit > 0 ? mostWaiting / limit : 0}
                    tone={rejected > 0 ? "bad" : mostWaiting >= 0.8 * limit ? "warn" : undefined}
                  />
                ),
              },
              {
                head: "now",
                isNumber: true,
                cell: ({ waiting, limit }) => `${count(waiting)} of ${count(limit)}`,
              },
              {
                head: "most",
                isNumber: true,
                cell: ({ mostWaiting, limit }) =>
                  `${count(mostWaiting)} (${percent(limit > 0 ? mostWaiting / limit : 0)})`,
              },
              { head: "accepted", isNumber: true, cell: ({ accepted }) => count(accepted) },
              {
                head: "rejected",
                isNumber: true,
                cell: ({ rejected }) => <span class={rejected > 0 ? "bad" : "dim"}>{count(rejected)}</span>,
              },
              {
                head: "accept() failed",
                isNumber: true,
                cell: ({ errors }) => <span class={errors > 0 ? "bad" : "dim"}>{count(errors)}</span>,
              },
            ]}
          />
        )}
      </Answer>
    </Panel>
  );
}
