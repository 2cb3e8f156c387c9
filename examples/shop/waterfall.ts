// Draws one trace as a text waterfall, from the response of Jaeger's query API.
import { attributesOf, type Span, type Under } from "../../test/backend/otlp.ts";

const BAR = 44;

/** A kernel span's attributes in a few words. */
const NOTES = [
  "wirespan.tcp.retransmit.type",
  "wirespan.drop.reason",
  "error.type",
  "wirespan.context.source",
] as const;

interface Node {
  readonly span: Under<Span>;
  readonly start: bigint;
  readonly end: bigint;
  readonly children: Node[];
}

/** A line for each span: its bar, its duration, the service, and its name, indented below its parent. */
export function waterfall(spans: readonly Under<Span>[]): string {
  const nodes = new Map(
    spans.map((span) => [
      span.item.spanId,
      {
        span,
        start: BigInt(span.item.startTimeUnixNano ?? 0),
        end: BigInt(span.item.endTimeUnixNano ?? 0),
        children: [] as Node[],
      },
    ]),
  );
  const roots: Node[] = [];
  for (const node of nodes.values()) {
    const parent = nodes.get(node.span.item.parentSpanId ?? "");
    (parent ? parent.children : roots).push(node);
  }
  const all = [...nodes.values()];
  const first = all.reduce((least, { start }) => (start < least ? start : least), all[0]?.start ?? 0n);
  const last = all.reduce((most, { end }) => (end > most ? end : most), first);
  const scale = (at: bigint) =>
    Math.round((Number(at - first) / Math.max(1, Number(last - first))) * (BAR - 1));
  const lines: string[] = [];
  const walk = (node: Node, depth: number) => {
    const [from, to] = [scale(node.start), scale(node.end)];
    const isInstant = node.end - node.start <= 1n;
    const bar = " ".repeat(from) + (isInstant ? "◆" : "█".repeat(to - from + 1));
    const duration = isInstant
      ? `at ${milliseconds(node.start - first)}`
      : milliseconds(node.end - node.start);
    const service = String(node.span.resource["service.name"] ?? "").padEnd(9);
    const notes = notesOf(node.span);
    lines.push(
      `${bar.padEnd(BAR)} ${duration.padStart(11)}  ${service} ${"  ".repeat(depth)}${node.span.item.name}${notes}`,
    );
    for (const child of node.children.sort((a, b) => (a.start < b.start ? -1 : 1))) walk(child, depth + 1);
  };
  for (const root of roots.sort((a, b) => (a.start < b.start ? -1 : 1))) walk(root, 0);
  return lines.join("\n");
}

function milliseconds(ns: bigint): string {
  return `${(Number(ns) / 1e6).toFixed(1)} ms`;
}

function notesOf({ item, scope }: Under<Span>): string {
  if (!scope.startsWith("wirespan.")) return "";
  const attributes = attributesOf(item.attributes);
  const notes = NOTES.flatMap((name) => (attributes[name] === undefined ? [] : [String(attributes[name])]));
  return notes.length > 0 ? `  (${notes.join(", ")})` : "";
}
