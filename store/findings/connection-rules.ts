// Rules about connections, evaluated on sums by edge. Tests: store/findings/findings.test.ts.
import { isMore } from "../query/lists.ts";
import { term } from "../query/term.ts";
import { type Edge, keyOf, type Sums } from "../sums/edge.ts";
import {
  type Context,
  duration,
  type Finding,
  filterOf,
  nameOf,
  percent,
  quantile,
  type Rule,
} from "./finding.ts";
import {
  ACCEPT_SLOW,
  CONNECT_SLOW,
  CONNECTS_FAILED,
  RESETS,
  RTT_LONG,
  SEGMENTS_LOST,
  SYNS_LOST,
} from "./limits.ts";

/** What to do about failed attempts, by cause. */
const ADVICE: Readonly<Record<string, string>> = {
  connection_refused:
    "Nothing listens at that address and port, or its host rejects it: check that the server runs and where it listens.",
  timed_out: "Nothing answered the SYNs: look for a firewall, a route or a host that is down.",
  network_unreachable: "This host has no route to that network: check its routing table.",
  host_unreachable: "A router, or this host's own ARP, found no way to the peer: check that it is up.",
  address_not_available:
    "There is no free local port or no such local address: look for connections that are not reused.",
  permission_denied: "A firewall rule or a security policy of this host forbids it.",
  connection_reset: "The peer, or something between, ended the attempt.",
  aborted:
    "The application gave up before an answer came: compare its timeout with the peer's time to connect.",
  never_accepted: "The server did not accept the connection before it ended: it is overloaded or stopped.",
};

/** Calls `each` for the edges of the last minute, with the sums of the hour before. */
function overEdges(
  { now, before }: Context,
  each: (edge: Edge, sums: Sums, earlier: Sums | undefined) => Finding | readonly Finding[] | undefined,
): Finding[] {
  return [...now.edges].flatMap(
    ([key, { edge, sums }]) => each(edge, sums, before.edges.get(key)?.sums) ?? [],
  );
}

const failedConnects: Rule = (context) =>
  overEdges(context, (edge, sums, earlier) => {
    const attempts = sums.get("connects") + sums.get("accepts");
    return [...sums.causes].flatMap(([cause, count]) => {
      const usual =
        (earlier?.causes.get(cause) ?? 0) /
        Math.max(1, earlier ? earlier.get("connects") + earlier.get("accepts") : 1);
      const share = count / attempts;
      const { least, factor } = CONNECTS_FAILED;
      if (count < least || !isMore(count, attempts, usual) || (usual > 0 && share < factor * usual))
        return [];
      const name = nameOf(edge, context.resources);
      return {
        rule: "connects-fail",
        severity: "failing" as const,
        subject: `${name} (${cause})`,
        text: `${count} of ${attempts} attempts ${name} failed in the last minute: ${cause}.`,
        next: ADVICE[cause] ?? "Look at the failed attempts.",
        count,
        ...(usual > 0 && { ratio: share / usual }),
        evidence: `/connections?of=connect&q=${filterOf(edge, context.resources)}%20${encodeURIComponent(term("cause", cause))}`,
      };
    });
  });

/** Unanswered attempts end only after minutes; until then, their retransmitted SYNs reveal them. */
const unanswered: Rule = (context) =>
  overEdges(context, (edge, sums) => {
    const ended = sums.get("synRetransmits");
    const open = sums.get("synsAgain") - ended;
    if (open < 5 || open <= ended) return undefined;
    const name = nameOf(edge, context.resources);
    return {
      rule: "connects-unanswered",
      severity: "failing",
      subject: name,
      text: `${open} SYNs ${name} were retransmitted in the last minute by attempts that have had no answer so far.`,
      next: ADVICE.timed_out!,
      count: open,
      evidence: `/losses?q=${filterOf(edge, context.resources)}`,
    };
  });

const synRetransmits: Rule = (context) =>
  overEdges(context, (edge, sums, earlier) => {
    const again = sums.get("synRetransmits");
    const attempts = sums.get("connects");
    const succeeded = attempts - sums.get("failed");
    const usual = earlier ? earlier.get("synRetransmits") / Math.max(1, earlier.get("connects")) : 0;
    const { least, share, factor } = SYNS_LOST;
    if (again < least || succeeded < again / 4 || again / attempts < Math.max(share, factor * usual))
      return undefined;
    const name = nameOf(edge, context.resources);
    return {
      rule: "syns-lost",
      severity: "slow",
      subject: name,
      text: `${again} SYNs were retransmitted in ${attempts} attempts ${name}: each costs the caller a second or more; the p99 of a connect is ${duration(quantile(sums.histograms.connect, 0.99))}.`,
      next: "SYNs or their answers were lost on the way, or the server's queues are full: see its listeners.",
      count: again,
      ...(usual > 0 && { ratio: again / attempts / usual }),
      evidence: `/latency?of=connect&q=${filterOf(edge, context.resources)}`,
    };
  });

/** A quantile of the last seconds compared with the hour before. */
function slower(
  rule: Finding["rule"],
  of: "connect" | "queue" | "rtt",
  q: number,
  { seconds, factor }: { readonly seconds: number; readonly factor: number },
  say: (name: string, now: string, before: string) => string,
  next: string,
): Rule {
  return (context) =>
    overEdges(context, (edge, sums, earlier) => {
      const histogram = context.recent.edges.get(keyOf(edge))?.sums.histograms[of];
      if (histogram === undefined) return undefined;
      const value = quantile(histogram, q);
      const usual = earlier ? quantile(earlier.histograms[of], q) : 0;
      if (histogram.count < 10 || value < seconds) return undefined;
      // Lost SYNs have their own finding, which explains why it is slow.
      if (of === "connect" && sums.get("synRetransmits") >= 0.01 * sums.get("connects")) return undefined;
      if (!earlier || earlier.histograms[of].count < 10 || value < factor * usual) return undefined;
      // The 99th percentile of a few seconds is only one or two values, so one in twenty must be that slow.
      const slow = 1 - (histogram.rank(factor * usual) ?? 1);
      if (slow < Math.min(0.5, 5 * (1 - q)) || slow * histogram.count < 3) return undefined;
      const name = nameOf(edge, context.resources);
      return {
        rule,
        severity: "slow",
        subject: name,
        text: say(name, duration(value), duration(usual)),
        next,
        count: histogram.count,
        ratio: value / usual,
        evidence: `/latency?of=${of}&q=${filterOf(edge, context.resources)}`,
      };
    });
}

const slowConnects = slower(
  "connects-slow",
  "connect",
  0.99,
  CONNECT_SLOW,
  (name, now, before) => `Connecting ${name} takes ${now} at the 99th percentile; it was ${before}.`,
  "Compare it with the round-trip time: if that is unchanged, the server or its queue is slow.",
);

const slowQueue = slower(
  "accept-queue-slow",
  "queue",
  0.99,
  ACCEPT_SLOW,
  (name, now, before) =>
    `Connections ${name} wait ${now} in the accept queue at the 99th percentile; it was ${before}.`,
  "The server accepts too slowly: see its listener and what its process does.",
);

const longRtt = slower(
  "rtt-long",
  "rtt",
  0.5,
  RTT_LONG,
  (name, now, before) => `The round-trip time ${name} is ${now} at the median; it was ${before}.`,
  "The path has become longer or a queue on it is full: compare other edges to the same network.",
);

/**
 * Lost data segments. SYNs and SYN-ACKs have their own finding; what the peer had already received was retransmitted
 * because it acknowledged late, as loss probes are on short round trips.
 */
const ofData = (sums: Sums): number =>
  Math.max(
    0,
    sums.get("retransmits") -
      sums.get("spurious") -
      sums.get("synRetransmits") -
      sums.get("synackRetransmits"),
  );

const retransmits: Rule = (context) =>
  overEdges(context, (edge, sums, earlier) => {
    const again = ofData(sums);
    const segments = sums.get("segments");
    const share = again / Math.max(1, segments);
    const usual = earlier ? ofData(earlier) / Math.max(1, earlier.get("segments")) : 0;
    const { least, factor } = SEGMENTS_LOST;
    if (again < least || share < Math.max(SEGMENTS_LOST.share, factor * usual)) return undefined;
    if (!isMore(again, segments, usual)) return undefined;
    const name = nameOf(edge, context.resources);
    return {
      rule: "segments-lost",
      severity: "slow",
      subject: name,
      text: `${percent(share)} of the segments ${name} were lost and retransmitted (${again} of ${segments}) in connections that ended in the last minute.`,
      next: "Packets from this end are lost on the way: see this host's losses first, then the network's.",
      count: again,
      ...(usual > 0 && { ratio: share / usual }),
      evidence: `/losses?q=${filterOf(edge, context.resources)}`,
    };
  });

const resets: Rule = (context) =>
  overEdges(context, (edge, sums, earlier) => {
    const count = sums.get("resets");
    const connections = sums.get("connections");
    const usual = earlier ? earlier.get("resets") / Math.max(1, earlier.get("connections")) : 0;
    const { least, share, factor } = RESETS;
    if (count < least || !isMore(count, connections, usual)) return undefined;
    if (count / connections < Math.max(share, factor * usual)) return undefined;
    const name = nameOf(edge, context.resources);
    return {
      rule: "connections-reset",
      severity: "failing",
      subject: name,
      text: `${count} of ${connections} connections ${name} ended by a reset in the last minute.`,
      next: "See which end sent the reset, and how many bytes had been sent: a reset in the middle of an answer is a failed request.",
      count,
      ...(usual > 0 && { ratio: count / connections / usual }),
      evidence: `/connections?q=${filterOf(edge, context.resources)}%20ended:rst_*`,
    };
  });

const unread: Rule = (context) =>
  overEdges(context, (edge, sums, earlier) => {
    const bytes = sums.get("unread");
    const usual = earlier ? earlier.get("unread") / Math.max(1, earlier.get("connections")) : 0;
    if (bytes === 0 || sums.get("connections") < 3 || bytes / sums.get("connections") < 3 * usual)
      return undefined;
    const name = nameOf(edge, context.resources);
    return {
      rule: "bytes-unread",
      severity: "unusual",
      subject: name,
      text: `Connections ${name} were closed with ${bytes} unread bytes; the peer sees a reset.`,
      next: "The application closes before it has read everything: it may discard requests or answers.",
      count: bytes,
      evidence: `/connections?q=${filterOf(edge, context.resources)}`,
    };
  });

export const CONNECTION_RULES: readonly Rule[] = [
  failedConnects,
  unanswered,
  synRetransmits,
  slowConnects,
  slowQueue,
  longRtt,
  retransmits,
  resets,
  unread,
];
