// Edges of the map: their names, and whether they have problems.
import type { MapEdge } from "../../store/answers.ts";
import { term } from "../../store/query/term.ts";
import { bytes, duration, percent, short } from "./format.ts";
import { parameter } from "./state.ts";

export const nameOf = ({ from, to, port }: MapEdge) => `${from} → ${to} :${port}`;

export function stateOf({ counts }: MapEdge): "failing" | "worse" | "calm" {
  const attempts = (counts.connects ?? 0) + (counts.accepts ?? 0);
  if ((counts.failed ?? 0) > 0.01 * attempts || (counts.resets ?? 0) > 0.05 * (counts.connections ?? 0))
    return "failing";
  return (counts.retransmits ?? 0) > 0.01 * (counts.segments ?? 0) || (counts.synRetransmits ?? 0) > 0
    ? "worse"
    : "calm";
}

/** What the nodes of the map are. */
export const kind = () => parameter("by") || "service";

/** The filter's term for a node of this host; undefined: there is none. */
export function termOf(node: string): string | undefined {
  const [, name, last] = /^(.*) (\S+)$/.exec(node) ?? [];
  if (kind() === "process")
    return name === undefined ? term("process", node) : `${term("process", name)} pid:${last}`;
  if (kind() === "container")
    return last === undefined || node === "no container" ? undefined : `container:${last}*`;
  if (kind() === "netns") return term("netns", node);
  return kind() === "subnet" ? undefined : term("service", node);
}

/** The filter for the connections of an edge. */
export function edgeTerms({ seenBy, from, to, port }: MapEdge): string {
  const [own, other] = seenBy === "opener" ? [from, to] : [to, from];
  const which = kind() === "subnet" ? `peer:${other}` : termOf(own);
  return `${which ?? ""} port:${port} direction:${seenBy === "opener" ? "outbound" : "inbound"}`.trim();
}

/** A time; 0: it is not known. */
const known = (seconds: number) => (seconds > 0 ? duration(seconds) : "");

/** What the width of an edge means: its name, the value, and how it is written. */
export const WEIGHTS: Readonly<
  Record<
    string,
    readonly [name: string, of: (edge: MapEdge) => number, say: (value: number, seconds: number) => string]
  >
> = {
  rate: [
    "connections",
    ({ counts }) => counts.connections ?? 0,
    (value, seconds) => `${short(value / seconds)}/s`,
  ],
  bytes: [
    "bytes",
    ({ counts }) => (counts.sent ?? 0) + (counts.received ?? 0),
    (value, seconds) => `${bytes(value / seconds)}/s`,
  ],
  connect: ["time to connect, p99", ({ connectP99 = 0 }) => connectP99, known],
  rtt: ["round trip", ({ rttP50 = 0 }) => rttP50, known],
  again: [
    "retransmitted",
    ({ counts }) => (counts.segments ? (counts.retransmits ?? 0) / counts.segments : 0),
    percent,
  ],
  failed: ["failed", ({ counts }) => (counts.failed ?? 0) + (counts.resets ?? 0), (value) => short(value)],
};

/** How slow an edge is, 0 to 4: below 1 ms, 10 ms, 100 ms, 1 s, and above; undefined: widths are not times. */
export function slowness(edge: MapEdge): number | undefined {
  if (weight() !== "connect" && weight() !== "rtt") return undefined;
  const seconds = WEIGHTS[weight()]![1](edge);
  return [0.001, 0.01, 0.1, 1].filter((bound) => seconds >= bound).length;
}

export const weight = () => (Object.hasOwn(WEIGHTS, parameter("w")) ? parameter("w") : "rate");
