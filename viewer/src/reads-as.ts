// What the numbers of an edge mean, in a sentence. Tests: test/system/viewer-parts.kernel.test.ts.
import type { MapEdge } from "../../store/answers.ts";
import { duration, percent } from "./format.ts";

/** Seconds from which a wait in the accept queue matters, and a round trip. */
const LONG = { queue: 0.05, rtt: 0.005 };

/** What to say about a cause of failed attempts, to the peer that does not answer as it should. */
const CAUSES: Readonly<Record<string, (peer: string, port: number) => string>> = {
  connection_refused: (peer, port) => `nothing listens on port ${port} of ${peer}`,
  timed_out: (peer) =>
    `no answer comes from ${peer}: it is down, its queue is full, or a filter drops the SYNs`,
  never_accepted: (peer) => `${peer} does not accept: it is stopped or overloaded`,
  connection_reset: (peer) => `${peer}, or something between, ends the attempts`,
};

const share = (part = 0, whole = 0) => (whole > 0 ? part / whole : 0);

/** `was`: in the hour before; undefined: there was none. */
export function readsAs(edge: MapEdge, was: MapEdge | undefined): string {
  const { counts, rttP50, queueP99 = 0, to, port } = edge;
  const isMore = (now = 0, before = 0) => now > 2 * before;
  const isFar = rttP50 !== undefined && rttP50 >= LONG.rtt && isMore(rttP50, was?.rttP50 ?? rttP50);
  const wire = isFar
    ? `the path is slow (round trip ${duration(rttP50)}, ${duration(was?.rttP50)} before)`
    : rttP50 !== undefined &&
      was?.rttP50 !== undefined &&
      "the network is fine (the round trip is as before)";
  const says: string[] = [];
  const [cause] = Object.entries(edge.causes).sort(([, a], [, b]) => b - a)[0] ?? [];
  if (cause !== undefined && share(counts.failed, counts.connects || counts.accepts) > 0.01)
    says.push(CAUSES[cause]?.(to, port) ?? `attempts fail: ${cause}`);
  if (queueP99 >= LONG.queue && isMore(queueP99, was?.queueP99))
    says.push(`${to} accepts too late: connections wait ${duration(queueP99)} in its queue`);
  const syns = share(counts.synRetransmits, counts.connects);
  if (syns > 0.01 && says.length === 0)
    says.push(
      `${percent(syns)} of the SYNs have no answer: look for drops at ${to} and for a filter between`,
    );
  const lost = share(counts.retransmits, counts.segments);
  if (lost > 0.01 && isMore(lost, share(was?.counts.retransmits, was?.counts.segments)))
    says.push(`${percent(lost)} of the segments are retransmitted: the path loses packets`);
  if (share(counts.resets, counts.connections) > 0.05)
    says.push(`connections are established, then reset: the application at one end gives up`);
  if (says.length === 0 && !isFar)
    return was === undefined
      ? "nothing is wrong here; there is no hour before to compare with."
      : "as in the hour before.";
  return `${[...(wire ? [wire] : []), ...says].join("; ")}.`;
}
