// Who talks to whom?
import type { Topology as Answered, MapEdge } from "../../../store/answers.ts";
import { useData, useDataNowAndThen } from "../data.ts";
import { edgeTerms, kind, nameOf, stateOf, weight } from "../edges.ts";
import { bytes, count, duration, percent, short } from "../format.ts";
import { Answer, Choice, Panel } from "../parts/common.tsx";
import { Table } from "../parts/table.tsx";
import { go, parameter, range } from "../state.ts";
import { EdgePanel } from "./edge-panel.tsx";
import { arrows, focus, hidden, NodeMap } from "./node-map.tsx";

/** One edge for both ends, if both are on this host: the opener's numbers, and the acceptor's queue. */
function merged(edges: readonly MapEdge[]): MapEdge[] {
  const byName = new Map<string, MapEdge>();
  for (const edge of edges.toSorted(
    (a, b) => (a.seenBy === "opener" ? -1 : 1) - (b.seenBy === "opener" ? -1 : 1),
  )) {
    const key = `${edge.from} ${edge.to} ${edge.port}`;
    const known = byName.get(key);
    byName.set(
      key,
      known ? { ...known, ...(edge.queueP99 !== undefined && { queueP99: edge.queueP99 }) } : edge,
    );
  }
  return [...byName.values()];
}

const WORST = { failing: 2, worse: 1, calm: 0 };

function worstFirst(edges: readonly MapEdge[]): readonly MapEdge[] {
  return edges.toSorted(
    (a, b) =>
      WORST[stateOf(b)] - WORST[stateOf(a)] || (b.counts.connections ?? 0) - (a.counts.connections ?? 0),
  );
}

/** Without hidden nodes; if a node has the focus, only its own edges. */
function visible(edges: readonly MapEdge[]): readonly MapEdge[] {
  const [not, node] = [hidden(), parameter("focus")];
  return edges.filter(
    ({ from, to }) =>
      !not.includes(from) && !not.includes(to) && (node === "" || from === node || to === node),
  );
}

export function Topology() {
  const view = parameter("view") || "map";
  const only = parameter("only");
  const focused = parameter("focus");
  const not = hidden();
  const by = kind();
  // Others are from single connections, of which there may be very many.
  const isSummed = by === "service" || by === "container";
  const sums = useData<Answered>(isSummed ? `topology?by=${by}` : undefined);
  const rows = useDataNowAndThen<Answered>(isSummed ? undefined : `topology?by=${by}`);
  const found = (isSummed ? sums : rows).value;
  return (
    <>
      <div class="bar-of-choices">
        <Choice
          label="Nodes"
          name="by"
          value={by}
          options={[
            ["service", "Service"],
            ["process", "Process"],
            ["container", "Container"],
            ["netns", "Namespace"],
            ["subnet", "Subnet"],
          ]}
          clears={["focus", "hide", "edge"]}
        />
        <Choice
          label="Width"
          name="w"
          value={weight()}
          options={[
            ["rate", "Rate"],
            ["bytes", "Bytes"],
            ["connect", "Connecting"],
            ["rtt", "Round trip"],
            ["again", "Retransmitted"],
            ["failed", "Failed"],
          ]}
        />
        <Choice
          label="View"
          name="view"
          value={view}
          options={[
            ["map", "Map"],
            ["matrix", "Matrix"],
            ["table", "Table"],
          ]}
        />
        <Choice
          label="Which"
          name="only"
          value={only}
          options={[
            ["", "All"],
            ["trouble", "Only trouble"],
          ]}
        />
        {focused && (
          <button type="button" class="button on" onClick={() => focus(focused)}>
            Only around {focused} ✕
          </button>
        )}
        {not.length > 0 && (
          <button type="button" class="button" title={not.join(", ")} onClick={() => go({ hide: undefined })}>
            {not.length} hidden: show {not.length === 1 ? "it" : "them"}
          </button>
        )}
      </div>
      <Answer of={found} isEmpty={({ edges }) => edges.length === 0}>
        {({ edges, folded }) => {
          const shown = worstFirst(
            visible(merged(edges)).filter((edge) => only !== "trouble" || stateOf(edge) !== "calm"),
          );
          const chosen = shown.find((edge) => nameOf(edge) === parameter("edge")) ?? shown[0];
          return (
            <>
              {shown.length === 0 && <p class="state">Nothing is left of the map.</p>}
              {view === "map" && shown.length > 0 && (
                <div class="columns">
                  <NodeMap edges={arrows(shown)} folded={folded} />
                  {chosen && <EdgePanel edge={chosen} />}
                </div>
              )}
              {view === "matrix" && <Matrix edges={shown} />}
              <EdgeTable edges={shown} />
            </>
          );
        }}
      </Answer>
    </>
  );
}

function toConnections(edge: MapEdge): void {
  go({ q: edgeTerms(edge), of: edge.counts.failed ? "connect" : undefined }, "/connections");
}

function Matrix(props: { edges: readonly MapEdge[] }) {
  const { edges } = props;
  const from = [...new Set(edges.map((edge) => edge.from))].toSorted();
  const to = [...new Set(edges.map((edge) => `${edge.to} :${edge.port}`))].toSorted();
  return (
    <Panel title="Who talks to whom" note="connections in the range; rows connect, columns accept">
      <div class="scroll" tabIndex={0} role="group" aria-label="Matrix">
        <table class="matrix">
          <thead>
            <tr>
              <th scope="col">opens</th>
              {to.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {from.map((name) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                {to.map((other) => {
                  const edge = edges.find((one) => one.from === name && `${one.to} :${one.port}` === other);
                  return (
                    <td key={other} class={`number ${edge ? stateOf(edge) : ""}`}>
                      {edge && `${stateOf(edge) === "failing" ? "◆ " : ""}${count(edge.counts.connections)}`}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function EdgeTable(props: { edges: readonly MapEdge[] }) {
  const seconds = range.value.length;
  return (
    <Panel title="Edges" note="the worst first">
      <Table
        label="Edges"
        rows={props.edges}
        keyOf={(edge) => `${edge.from} ${edge.to} ${edge.port} ${edge.seenBy}`}
        onOpen={toConnections}
        columns={[
          {
            head: "opens",
            cell: (edge) => (
              <>
                {{ failing: "◆ ", worse: "▲ ", calm: "" }[stateOf(edge)]}
                <b>{edge.from}</b>
              </>
            ),
          },
          { head: "accepts", cell: (edge) => <code>{`${edge.to} :${edge.port}`}</code> },
          { head: "conn/s", isNumber: true, cell: (edge) => short((edge.counts.connections ?? 0) / seconds) },
          {
            head: "failed",
            isNumber: true,
            cell: (edge) => (
              <span
                class={edge.counts.failed ? "bad" : "dim"}
                title={Object.entries(edge.causes)
                  .map(([cause, n]) => `${n} ${cause}`)
                  .join(", ")}
              >
                {count(edge.counts.failed)}
              </span>
            ),
          },
          { head: "connect p50", isNumber: true, cell: (edge) => duration(edge.connectP50) },
          { head: "connect p99", isNumber: true, cell: (edge) => duration(edge.connectP99) },
          { head: "queue p99", isNumber: true, cell: (edge) => duration(edge.queueP99) },
          { head: "rtt", isNumber: true, cell: (edge) => duration(edge.rttP50) },
          {
            head: "retransmitted",
            isNumber: true,
            cell: (edge) =>
              percent(
                edge.counts.segments ? (edge.counts.retransmits ?? 0) / edge.counts.segments : undefined,
              ),
          },
          { head: "resets", isNumber: true, cell: (edge) => count(edge.counts.resets) },
          { head: "out", isNumber: true, cell: (edge) => bytes(edge.counts.sent) },
          { head: "in", isNumber: true, cell: (edge) => bytes(edge.counts.received) },
        ]}
      />
    </Panel>
  );
}
