// Who talks to whom?
import { useEffect, useState } from "preact/hooks";
import type { Topology as Answered, MapEdge } from "../../../store/answers.ts";
import { useData } from "../data.ts";
import { bytes, count, duration, percent, short } from "../format.ts";
import type { LaidOut, ToLayOut } from "../layout.worker.ts";
import { Answer, Choice, Panel } from "../parts/common.tsx";
import { Table } from "../parts/table.tsx";
import { go, parameter, range, term } from "../state.ts";
import { EdgePanel, nameOf } from "./edge-panel.tsx";

const SIZE = { width: 130, height: 42 };

// Trusted types: the page makes one worker, of one file of its own.
const trusted = (
  globalThis as {
    trustedTypes?: { createPolicy(name: string, rules: object): { createScriptURL(url: string): string } };
  }
).trustedTypes?.createPolicy("wirespan", {
  createScriptURL: (url: string) => (url === "/layout.js" ? url : ""),
});

let worker: Worker | undefined;

function useLayout(edges: readonly MapEdge[]): LaidOut | undefined {
  const [laidOut, set] = useState<LaidOut | undefined>(undefined);
  // Only a new set of nodes and edges moves anything.
  const key = edges
    .map(({ from, to, port }) => `${from} ${to} ${port}`)
    .toSorted()
    .join("\n");
  useEffect(() => {
    worker ??= new Worker((trusted?.createScriptURL("/layout.js") ?? "/layout.js") as string, {
      type: "module",
    });
    const ids = [...new Set(edges.flatMap(({ from, to }) => [from, to]))].toSorted();
    const message: ToLayOut = {
      nodes: ids.map((id) => ({ id, ...SIZE })),
      edges: edges.map(({ from, to }) => [from, to]),
    };
    const done = ({ data }: MessageEvent<LaidOut>) => set(data);
    worker.addEventListener("message", done, { once: true });
    worker.postMessage(message);
    return () => worker?.removeEventListener("message", done);
  }, [key]);
  return laidOut && laidOut.edges.length === edges.length ? laidOut : undefined;
}

export function stateOf({ counts }: MapEdge): "failing" | "worse" | "calm" {
  const attempts = (counts.connects ?? 0) + (counts.accepts ?? 0);
  if ((counts.failed ?? 0) > 0.01 * attempts || (counts.resets ?? 0) > 0.05 * (counts.connections ?? 0))
    return "failing";
  return (counts.retransmits ?? 0) > 0.01 * (counts.segments ?? 0) || (counts.synRetransmits ?? 0) > 0
    ? "worse"
    : "calm";
}

/** One edge for both ends, if both are of this host: the opener's numbers, and the acceptor's queue. */
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

export function Topology() {
  const view = parameter("view") || "map";
  const only = parameter("only");
  const found = useData<Answered>("topology").value;
  return (
    <>
      <div class="bar-of-choices">
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
      </div>
      <Answer of={found} isEmpty={({ edges }) => edges.length === 0}>
        {({ edges, folded }) => {
          const shown = worstFirst(
            merged(edges).filter((edge) => only !== "trouble" || stateOf(edge) !== "calm"),
          );
          const chosen = shown.find((edge) => nameOf(edge) === parameter("edge")) ?? shown[0];
          return (
            <>
              {view === "map" && (
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

/** For the map: one arrow between two nodes, whatever the ports; those that talk to themselves are in the table alone. */
function arrows(edges: readonly MapEdge[]): (MapEdge & { readonly ports: number })[] {
  const byNodes = Map.groupBy(
    edges.filter(({ from, to }) => from !== to),
    ({ from, to }) => `${from}\n${to}`,
  );
  return [...byNodes.values()].map((group) => {
    const [first] = group;
    const counts: Record<string, number> = {};
    for (const edge of group)
      for (const [name, n] of Object.entries(edge.counts)) counts[name] = (counts[name] ?? 0) + n;
    return { ...first!, counts, ports: group.length };
  });
}

function toConnections(edge: MapEdge): void {
  const own = edge.seenBy === "opener" ? edge.from : edge.to;
  go(
    { q: `${term("service", own)} port:${edge.port}`, of: edge.counts.failed ? "connect" : undefined },
    "/connections",
  );
}

function NodeMap(props: { edges: ReturnType<typeof arrows>; folded: number }) {
  const { edges, folded } = props;
  const laidOut = useLayout(edges);
  const seconds = range.value.length;
  const most = Math.max(1, ...edges.map(({ counts }) => counts.connections ?? 0));
  return (
    <Panel
      title="Who talks to whom"
      note="left opens, right accepts; width: connections per second"
      right={folded > 0 && `${folded} more peers, by network`}
    >
      {laidOut === undefined ? (
        <p class="state">Laying it out…</p>
      ) : (
        <div class="scroll" tabIndex={0} role="group" aria-label="Map">
          <svg
            class="map"
            width={laidOut.width}
            height={laidOut.height}
            role="img"
            aria-label={`${Object.keys(laidOut.nodes).length} services and peers, ${edges.length} edges; the table below has all of it.`}
          >
            <defs>
              <marker
                id="arrow"
                viewBox="0 0 8 8"
                refX="7"
                refY="4"
                markerWidth="7"
                markerHeight="7"
                markerUnits="userSpaceOnUse"
                orient="auto"
              >
                <path d="M0 0 8 4 0 8z" />
              </marker>
            </defs>
            {edges.map((edge, i) => {
              const points = laidOut.edges[i]!;
              const width = 1 + 4 * Math.sqrt((edge.counts.connections ?? 0) / most);
              const middle = points[Math.floor(points.length / 2)] ?? [0, 0];
              const attempts = (edge.counts.connects ?? 0) + (edge.counts.accepts ?? 0);
              return (
                <g
                  key={`${edge.from} ${edge.to} ${edge.port}`}
                  class={`edge ${stateOf(edge)}`}
                  onClick={() => go({ edge: nameOf(edge) })}
                >
                  <title>{`${edge.from} → ${edge.to}:${edge.port}`}</title>
                  <path d={curve(points)} stroke-width={width} marker-end="url(#arrow)" />
                  <text x={middle[0]} y={middle[1] - 6} text-anchor="middle">
                    {stateOf(edge) === "failing"
                      ? `◆ ${percent(((edge.counts.failed ?? 0) + (edge.counts.resets ?? 0)) / Math.max(1, attempts))}`
                      : edge.ports > 1
                        ? `${edge.ports} ports`
                        : `:${edge.port}`}
                  </text>
                </g>
              );
            })}
            {Object.entries(laidOut.nodes).map(([id, [x, y]]) => {
              const rate =
                edges
                  .filter(({ to }) => to === id)
                  .reduce((sum, { counts }) => sum + (counts.connections ?? 0), 0) / seconds;
              return (
                <g
                  key={id}
                  class="node"
                  transform={`translate(${x - SIZE.width / 2} ${y - SIZE.height / 2})`}
                  onClick={() => go({ q: nodeTerm(id) })}
                >
                  <title>{id}</title>
                  <rect width={SIZE.width} height={SIZE.height} rx="7" />
                  <text class="name" x="10" y="18">
                    {id.length > 17 ? `${id.slice(0, 16)}…` : id}
                  </text>
                  <text x="10" y="33">
                    {edges.some(({ to }) => to === id) ? `${short(rate)}/s in` : "opens only"}
                  </text>
                </g>
              );
            })}
          </svg>
        </div>
      )}
    </Panel>
  );
}

function nodeTerm(id: string): string {
  if (id.includes("/") && /[\d:.]+\/\d+$/.test(id)) return `peer:${id}`;
  return /^[\d.]+$|:.*:/.test(id) ? `peer:${id}` : term("service", id);
}

function curve(points: readonly (readonly [number, number])[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return "";
  let path = `M${first[0]} ${first[1]}`;
  for (let i = 0; i < rest.length; i++) {
    const [x, y] = rest[i]!;
    const next = rest[i + 1];
    path += next ? `Q${x} ${y} ${(x + next[0]) / 2} ${(y + next[1]) / 2}` : `L${x} ${y}`;
  }
  return path;
}

function Matrix(props: { edges: readonly MapEdge[] }) {
  const { edges } = props;
  const from = [...new Set(edges.map((edge) => edge.from))].toSorted();
  const to = [...new Set(edges.map((edge) => `${edge.to} :${edge.port}`))].toSorted();
  return (
    <Panel title="Who talks to whom" note="rows open, columns accept; connections in the range">
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
