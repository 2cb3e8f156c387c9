// What was lost, where, and whose was it?
import type { Events, Losses, LossPart } from "../../../store/answers.ts";
import { term } from "../../../store/query/term.ts";
import { useData } from "../data.ts";
import { clock, count } from "../format.ts";
import { colourOf, MirroredBars } from "../parts/bars.tsx";
import { Answer, Bar, Panel, Spark } from "../parts/common.tsx";
import { Table } from "../parts/table.tsx";
import { go, parameter, range, toggleTerm } from "../state.ts";
import { DropStacks } from "./drop-stacks.tsx";

export function LossesScreen() {
  const losses = useData<Losses>("losses").value;
  const events = useData<Events>("events").value;
  const { from, to } = range.value;
  const reason = parameter("reason");
  return (
    <>
      <Answer
        of={losses}
        plugins={["tcpdrop", "tcpretrans"]}
        isEmpty={({ dropped, retransmitted, rejected }) =>
          dropped.length + retransmitted.length + rejected.length === 0
        }
        empty="Nothing was dropped or retransmitted in this range."
      >
        {(data) => {
          const up = [
            ...data.dropped,
            ...data.rejected.map((part) => ({
              ...part,
              name: `rejected by ${part.name}`,
              whose: [[part.name.replace(/:\d+$/, ""), part.count]] as const,
              means: "The listener rejected them, usually because its accept queue was full: see Listeners.",
            })),
          ];
          const causes = [
            ...up.map((part, i) => ({ ...part, kind: "dropped", colour: colourOf("up", i) })),
            ...data.retransmitted.map((part, i) => ({
              ...part,
              kind: "retransmitted",
              colour: colourOf("down", i),
            })),
          ];
          return (
            <>
              <Panel
                title="Lost and retransmitted"
                note="packets; up: dropped on this host, down: retransmitted"
              >
                <MirroredBars
                  up={up}
                  down={data.retransmitted}
                  from={from}
                  to={to}
                  label={causes.map(({ name, kind, count: n }) => `${count(n)} ${kind}: ${name}`).join(", ")}
                />
              </Panel>
              <div class="columns wide">
                <Panel title="Causes" note="a reason's name shows where its packets were dropped">
                  <Table
                    label="Causes"
                    rows={causes}
                    keyOf={({ name, kind }) => `${kind} ${name}`}
                    onOpen={({ name }) => go({ reason: name === reason ? undefined : name })}
                    canOpen={({ name }) => data.dropped.some((part) => part.name === name)}
                    columns={[
                      {
                        head: "cause",
                        cell: ({ name, colour }) => (
                          <>
                            <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">
                              <rect width="10" height="10" rx="2" fill={colour} />
                            </svg>{" "}
                            <code>{name}</code>
                          </>
                        ),
                      },
                      { head: "kind", cell: ({ kind }) => kind },
                      { head: "count", isNumber: true, cell: (part) => <b>{count(part.count)}</b> },
                      {
                        head: "trend",
                        cell: ({ line, name }) => (
                          <Spark values={line.map(([, value]) => value)} label={`trend of ${name}`} />
                        ),
                      },
                      { head: "whose", cell: ({ whose = [] }) => <Owners of={whose} /> },
                      { head: "what it means", cell: ({ means }) => <span class="wrap dim">{means}</span> },
                    ]}
                  />
                </Panel>
                <div>
                  {data.dropped.length > 0 && <DropStacks reason={reason} />}
                  <Panel title="Whose">
                    <Whose title="dropped" parts={data.droppedOf} />
                    <Whose title="retransmitted" parts={data.retransmittedOf} />
                  </Panel>
                </div>
              </div>
            </>
          );
        }}
      </Answer>
      <Panel title="One by one" note="the newest; rates are limited, counts above are not">
        <Answer of={events} isEmpty={(data) => data.events.length === 0}>
          {(data) => (
            <Table
              label="Events"
              rows={data.events.filter(({ name }) => /drop|retransmit/.test(name)).slice(0, 100)}
              keyOf={(row) =>
                `${row.name} ${row.start} ${row.attributes["network.local.port"]} ${row.attributes["source.port"]}`
              }
              columns={[
                { head: "time", cell: ({ start }) => <code>{clock(start, "ms")}</code> },
                { head: "event", cell: ({ name }) => name.replace(/^wirespan\.tcp\./, "") },
                {
                  head: "service",
                  cell: ({ service }) => service,
                  term: ({ service }) => term("service", service),
                },
                {
                  head: "cause",
                  cell: ({ attributes }) => (
                    <code>
                      {attributes["wirespan.packet.drop.reason"] ??
                        attributes["wirespan.tcp.retransmit.type"]}
                    </code>
                  ),
                },
                {
                  head: "packet",
                  cell: ({ attributes: a }) => (
                    <code>
                      {a["source.address"] ?? a["network.local.address"]}:
                      {a["source.port"] ?? a["network.local.port"]} →{" "}
                      {a["destination.address"] ?? a["network.peer.address"]}:
                      {a["destination.port"] ?? a["network.peer.port"]}
                    </code>
                  ),
                },
                {
                  head: "where",
                  cell: ({ attributes }) => <code>{attributes["wirespan.packet.drop.location"]}</code>,
                },
              ]}
            />
          )}
        </Answer>
      </Panel>
    </>
  );
}

/** Services that are named in a line; the others are counted. */
const NAMED = 2;

function Owners(props: { of: NonNullable<LossPart["whose"]> }) {
  const all = props.of;
  return (
    <span class="wrap owners" title={all.map(([service, n]) => `${service} ${count(n)}`).join(", ")}>
      {all.slice(0, NAMED).map(([service], i) => (
        <>
          {i > 0 && ", "}
          <button type="button" class="value" onClick={() => toggleTerm(term("service", service))}>
            {service}
          </button>
        </>
      ))}
      {all.length > NAMED && <span class="dim"> and {all.length - NAMED} more</span>}
    </span>
  );
}

function Whose(props: { title: string; parts: readonly LossPart[] }) {
  const { title, parts } = props;
  const most = Math.max(1, ...parts.map((part) => part.count));
  if (parts.length === 0) return null;
  return (
    <Table
      label={title}
      rows={parts.slice(0, 12)}
      keyOf={({ name }) => name}
      onOpen={({ name }) => toggleTerm(term("service", name))}
      columns={[
        { head: title, cell: ({ name }) => name },
        { head: "", name: `${title}, drawn`, cell: (part) => <Bar share={part.count / most} tone="bad" /> },
        { head: "count", isNumber: true, cell: (part) => count(part.count) },
      ]}
    />
  );
}
