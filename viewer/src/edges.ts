// Edges of the map: their names, and whether they are in trouble.
import type { MapEdge } from "../../store/answers.ts";

export const nameOf = ({ from, to, port }: MapEdge) => `${from} → ${to} :${port}`;

export function stateOf({ counts }: MapEdge): "failing" | "worse" | "calm" {
  const attempts = (counts.connects ?? 0) + (counts.accepts ?? 0);
  if ((counts.failed ?? 0) > 0.01 * attempts || (counts.resets ?? 0) > 0.05 * (counts.connections ?? 0))
    return "failing";
  return (counts.retransmits ?? 0) > 0.01 * (counts.segments ?? 0) || (counts.synRetransmits ?? 0) > 0
    ? "worse"
    : "calm";
}
