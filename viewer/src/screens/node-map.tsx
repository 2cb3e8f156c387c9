// Who talks to whom, as a map: openers on the left, acceptors on the right.
import { useEffect, useState } from "preact/hooks";
import type { MapEdge } from "../../../store/answers.ts";
import { nameOf, slowness, stateOf, termOf, WEIGHTS, weight } from "../edges.ts";
import { percent, short } from "../format.ts";
import type { LaidOut, ToLayOut } from "../layout.worker.ts";
import { Panel } from "../parts/common.tsx";
import { go, parameter, range } from "../state.ts";

const SIZE = { width: 130, height: 42 };

// Trusted types: the page creates one worker, from one of its own files.
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

/** Names listed in the address, each quoted as JSON because a name may contain any character. */
export const hidden = (): readonly string[] => {
  try {
    return (JSON.parse(parameter("hide") || "[]") as unknown[]).map(String);
  } catch {
    return [];
  }
};

function hide(node: string): void {
  const all = hidden();
  go({ hide: JSON.stringify(all.includes(node) ? all.filter((one) => one !== node) : [...all, node]) });
}

export function focus(node: string): void {
  go({ focus: parameter("focus") === node ? undefined : node });
}

/** For the map: one arrow between two nodes, whatever the ports. Nodes that talk to themselves are only in the table. */
export function arrows(edges: readonly MapEdge[]): (MapEdge & { readonly ports: number })[] {
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

export function NodeMap(props: { edges: ReturnType<typeof arrows>; folded: number }) {
  const { edges, folded } = props;
  const laidOut = useLayout(edges);
  const seconds = range.value.length;
  const [what, of, say] = WEIGHTS[weight()]!;
  const most = Math.max(1e-9, ...edges.map(of));
  return (
    <Panel
      title="Who talks to whom"
      note={`left opens, right accepts; width${weight() === "connect" || weight() === "rtt" ? " and colour" : ""}: ${what}; dashed: retransmits, ◆: fails`}
      right={`${folded > 0 ? `${folded} more peers, by network; ` : ""}arrow keys follow edges, f: only neighbours, h: hide`}
    >
      {laidOut === undefined ? (
        <p class="state">Laying it out…</p>
      ) : (
        <div class="scroll" tabIndex={0} role="group" aria-label="Map">
          <svg
            class="map"
            width={laidOut.width}
            height={laidOut.height}
            role="group"
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
              const width = 1 + 4 * Math.sqrt(of(edge) / most);
              const middle = points[Math.floor(points.length / 2)] ?? [0, 0];
              const attempts = (edge.counts.connects ?? 0) + (edge.counts.accepts ?? 0);
              return (
                <g
                  key={`${edge.from} ${edge.to} ${edge.port}`}
                  class={`edge ${stateOf(edge)} ${slowness(edge) === undefined ? "" : `slow-${slowness(edge)}`}`}
                  onClick={() => go({ edge: nameOf(edge) })}
                >
                  <title>{`${edge.from} → ${edge.to}:${edge.port}`}</title>
                  <path d={curve(points)} stroke-width={width} marker-end="url(#arrow)" />
                  <text x={middle[0]} y={middle[1] - 6} text-anchor="middle">
                    {weight() !== "rate"
                      ? say(of(edge), seconds)
                      : stateOf(edge) === "failing"
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
                  tabindex={0}
                  role="button"
                  data-node={id}
                  onKeyDown={(event) => keyOnNode(event, id, edges)}
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

/** On a node: arrows go to the other end of an edge. */
function keyOnNode(event: KeyboardEvent, id: string, edges: readonly MapEdge[]): void {
  const follow = (to: readonly string[]) => {
    const all = document.querySelectorAll<SVGElement>("[data-node]");
    [...all].find(({ dataset }) => dataset.node === to[0])?.focus();
  };
  const opens = () => follow(edges.filter(({ from }) => from === id).map(({ to }) => to));
  const accepts = () => follow(edges.filter(({ to }) => to === id).map(({ from }) => from));
  const actions: Readonly<Record<string, () => void>> = {
    f: () => focus(id),
    h: () => hide(id),
    Enter: () => go({ q: nodeTerm(id) }, "/connections"),
    ArrowRight: opens,
    ArrowLeft: accepts,
  };
  const action = actions[event.key];
  if (action === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  action();
}

function nodeTerm(id: string): string | undefined {
  if (id.includes("/") && /[\d:.]+\/\d+$/.test(id)) return `peer:${id}`;
  return /^[\d.]+$|:.*:/.test(id) ? `peer:${id}` : termOf(id);
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
