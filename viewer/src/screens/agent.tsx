// Can these numbers be trusted?
import type { Agent, AgentState as State } from "../../../store/answers.ts";
import { useData } from "../data.ts";
import { bytes, clock, count, duration } from "../format.ts";
import { Answer, Panel } from "../parts/common.tsx";
import { Table } from "../parts/table.tsx";
import { now } from "../state.ts";

export function AgentScreen() {
  const found = useData<Agent>("agent", false).value;
  return (
    <Answer of={found}>
      {({ state, stateAt, store }) => (
        <>
          {state && <AgentState state={state} at={stateAt ?? 0} />}
          <Panel title="What is kept" note={store.file} right={`at most ${bytes(store.bound)}`}>
            <Table
              label="What is kept"
              rows={Object.entries(store.kept)}
              keyOf={([name]) => name}
              columns={[
                { head: "class", cell: ([name]) => <b>{name}</b> },
                { head: "rows", isNumber: true, cell: ([, { rows }]) => count(rows) },
                { head: "size", isNumber: true, cell: ([, kept]) => bytes(kept.bytes) },
                {
                  head: "since",
                  cell: ([, { from }]) =>
                    from === undefined ? "–" : `${clock(from / 1e6)} (${duration(now.value - from / 1e6)})`,
                },
              ]}
            />
            <p class="state">
              {store.evicted > 0 && `${count(store.evicted)} chunks have given way to newer ones. `}
              {store.oneIn > 1 && `At this rate one in ${store.oneIn} calm traces is kept singly. `}
              {store.edgesOverflow > 0 &&
                `${count(store.edgesOverflow)} ends of connections beyond 2,048 edges a window are summed together. `}
              The store takes {bytes(store.memory)} of memory.
            </p>
          </Panel>
        </>
      )}
    </Answer>
  );
}

function AgentState(props: { state: State; at: number }) {
  const { state, at } = props;
  const rows = state.exporters.flatMap(({ name, balance }) =>
    Object.entries(balance).map(([kind, counts]) => ({ name, kind, ...counts })),
  );
  return (
    <>
      <Panel
        title="The agent"
        note={`version ${state.version}, pid ${state.pid}, up ${duration(state.uptimeSeconds)}, as of ${clock(at)}`}
      >
        <Table
          label="Plugins"
          rows={state.plugins}
          keyOf={({ name }) => name}
          columns={[
            { head: "plugin", cell: ({ name }) => <b>{name}</b> },
            {
              head: "state",
              cell: ({ state: is }) => (
                <span class={is === "running" ? "" : "bad"}>{is === "running" ? is : `◆ ${is}`}</span>
              ),
            },
            { head: "why", cell: ({ error }) => <span class="wrap">{error}</span> },
          ]}
        />
        {state.limits.map((limit) => (
          <p class="state warn" key={limit}>
            {limit}
          </p>
        ))}
        {state.unseen > 0 && (
          <p class="state warn">This kernel did not show {count(state.unseen)} events to tracing programs.</p>
        )}
      </Panel>
      <Panel title="The balance" note="given = acknowledged + lost + queued">
        <Table
          label="The balance"
          rows={rows}
          keyOf={({ name, kind }) => `${name} ${kind}`}
          columns={[
            { head: "exporter", cell: ({ name }) => <b>{name}</b> },
            { head: "kind", cell: ({ kind }) => kind },
            { head: "given", isNumber: true, cell: ({ given }) => count(given) },
            { head: "acknowledged", isNumber: true, cell: ({ acknowledged }) => count(acknowledged) },
            { head: "queued", isNumber: true, cell: ({ queued }) => count(queued) },
            {
              head: "lost",
              cell: ({ lost }) => {
                const causes = Object.entries(lost).filter(([, n]) => n > 0);
                return causes.length === 0 ? (
                  "0"
                ) : (
                  <span class="bad">{causes.map(([cause, n]) => `${count(n)} ${cause}`).join(", ")}</span>
                );
              },
            },
          ]}
        />
      </Panel>
    </>
  );
}
