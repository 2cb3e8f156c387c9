// Computes the map's layout off the main thread, because it can take a tenth of a second.
import { graphlib, layout } from "@dagrejs/dagre";

export interface ToLayOut {
  readonly nodes: readonly { readonly id: string; readonly width: number; readonly height: number }[];
  readonly edges: readonly (readonly [from: string, to: string])[];
}

export interface LaidOut {
  readonly width: number;
  readonly height: number;
  readonly nodes: Readonly<Record<string, readonly [x: number, y: number]>>;
  readonly edges: readonly (readonly (readonly [x: number, y: number])[])[];
}

addEventListener("message", ({ data }: MessageEvent<ToLayOut>) => {
  const graph = new graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: 22, ranksep: 90, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  // By number: dagre keeps nodes in plain objects, in which `__proto__`, a possible service name, is not a valid key.
  const keys = new Map(data.nodes.map(({ id }, i) => [id, `n${i}`]));
  const keyOf = (id: string) => keys.get(id) ?? "";
  for (const { id, width, height } of data.nodes) graph.setNode(keyOf(id), { width, height });
  for (const [i, [from, to]] of data.edges.entries()) graph.setEdge(keyOf(from), keyOf(to), {}, String(i));
  layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  const laidOut: LaidOut = {
    width,
    height,
    nodes: Object.fromEntries(
      data.nodes.map(({ id }) => {
        const { x, y } = graph.node(keyOf(id));
        return [id, [x, y]];
      }),
    ),
    edges: data.edges.map(([from, to], i) =>
      (graph.edge(keyOf(from), keyOf(to), String(i)).points ?? []).map(
        ({ x, y }: { x: number; y: number }) => [x, y] as const,
      ),
    ),
  };
  postMessage(laidOut);
});
