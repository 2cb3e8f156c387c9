// Can these numbers be trusted?
import type { Agent, HookState, AgentState as State } from "../../../store/agent-answers.ts";
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
          {state?.hooks && <Hooks hooks={state.hooks} />}
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
              {store.oneIn > 1 &&
                `At this rate, one in ${store.oneIn} uneventful traces is stored individually. `}
              {store.edgesOverflow > 0 &&
                `${count(store.edgesOverflow)} ends of connections beyond 2,048 edges a window are summed together. `}
              The store uses {bytes(store.memory)} of memory.
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
        right={`${state.plugins.filter(({ state: is }) => is === "running").length} of ${state.plugins.length} plugins run without missing data`}
      >
        <ul class="plugins">
          {state.plugins.map(({ name, state: is }) => (
            <li key={name} class={is === "running" ? "" : is === "failed" ? "bad" : "warn"}>
              {{ running: "✓", degraded: "▲", failed: "◆" }[is] ?? "◆"} {name}
              {is !== "running" && ` ${is}`}
            </li>
          ))}
        </ul>
        {state.plugins.some(({ error }) => error) && (
          <Table
            label="Plugins with missing data"
            rows={state.plugins.filter(({ error }) => error)}
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
        )}
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

/** The report of `wirespan doctor`: problems are always shown, the rest on request. */
function Hooks(props: { hooks: readonly HookState[] }) {
  const [missing, taken] = [true, false].map((is) =>
    props.hooks.filter(({ at }) => (at === undefined) === is),
  );
  const second = taken!.filter(({ refused }) => refused.length > 0);
  return (
    <Panel
      title="Hooks"
      note="as wirespan doctor reports them"
      right={`${missing!.length} missing, ${second.length} fallbacks`}
    >
      {missing!.length > 0 && <HookTable label="Missing hooks" hooks={missing!} />}
      <details>
        <summary>{taken!.length} attached</summary>
        <HookTable label="Attached hooks" hooks={taken!} />
      </details>
    </Panel>
  );
}

function HookTable(props: { label: string; hooks: readonly HookState[] }) {
  return (
    <Table
      label={props.label}
      rows={props.hooks.toSorted((a, b) => b.refused.length - a.refused.length)}
      keyOf={({ plugin, thing }) => `${plugin} ${thing}`}
      columns={[
        { head: "plugin", cell: ({ plugin }) => <b>{plugin}</b> },
        { head: "observes", cell: ({ thing }) => <span class="wrap">{thing}</span> },
        {
          head: "hook",
          cell: ({ at }) => (at === undefined ? <span class="bad">◆ none</span> : <code>{at}</code>),
        },
        {
          head: "refused",
          cell: ({ refused }) => (
            <span class="wrap">{refused.map(({ at, why }) => `${at}: ${why}`).join("; ")}</span>
          ),
        },
        {
          head: "not observed",
          cell: ({ at, without }) => at === undefined && <span class="wrap warn">{without}</span>,
        },
      ]}
    />
  );
}
