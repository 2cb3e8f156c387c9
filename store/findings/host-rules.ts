// Rules about listeners, losses, CPUs, queues and the agent itself: what metrics show. Tests: store/findings/findings.test.ts.
import type { Series } from "../points.ts";
import { groupTotals, type SeriesTotal } from "../query/series.ts";
import { term } from "../query/term.ts";
import { dropAdvice } from "./drop-advice.ts";
import {
  type Context,
  duration,
  type Evidence,
  type Finding,
  PERIOD,
  percent,
  quantile,
  type Rule,
} from "./finding.ts";
import {
  ACCEPT_ERRORS,
  ACCEPT_QUEUE_FILLS,
  DROPS,
  NAPI_EXHAUSTED,
  PILE,
  SOFTIRQ_BUSY,
  SOFTIRQ_WAITS,
  TRANSMIT_FAILURES,
} from "./limits.ts";

const text = (series: Series, key: string): string => String(series.attributes[key] ?? "");
const perMinute = ({ seconds }: Evidence, count: number): number =>
  seconds > 0 ? (count / seconds) * 60 : 0;

/** Series of a metric, summed by `key`, in the last minute, and their average per minute before. */
function compared({ now, before }: Context, metric: string, key: (series: Series) => string) {
  const earlier = groupTotals(before.metric(metric), key);
  return [...groupTotals(now.metric(metric), key)].map(([name, total]) => {
    return { name, total, usual: perMinute(before, earlier.get(name)?.total ?? 0) };
  });
}

const listenerKey = (series: Series) => `${series.resource} ${text(series, "server.port")}`;

const acceptQueue: Rule = (context) => {
  const { now, resources } = context;
  const limits = groupTotals(now.metric("wirespan.tcp.accept_queue.limit"), listenerKey);
  const rejected = groupTotals(now.metric("wirespan.tcp.listener.dropped"), listenerKey);
  const accepted = groupTotals(now.metric("wirespan.tcp.connection.accepted"), ({ resource }) =>
    String(resource),
  );
  const found: Finding[] = [];
  for (const [name, { series, most, total }] of groupTotals(
    now.metric("wirespan.tcp.accept_queue.usage"),
    listenerKey,
  )) {
    const limit = limits.get(name)?.total ?? 0;
    const drops = rejected.get(name)?.total ?? 0;
    const accepts = accepted.get(String(series.resource))?.total ?? 0;
    const subject = `${resources.service(series.resource)}:${text(series, "server.port")}`;
    const evidence = `/listeners?q=${encodeURIComponent(term("service", resources.service(series.resource)))}`;
    if (drops > 0 && most >= limit) {
      found.push({
        rule: "accept-queue-full",
        severity: "failing",
        subject,
        text: `The accept queue of ${subject} is full (${most} of ${limit}): ${drops} packets of clients that tried to connect were dropped in the last minute, and ${accepts} connections were accepted.`,
        next:
          accepts === 0
            ? "Its process accepts nothing: it is stopped or blocked."
            : "Its process accepts too slowly for the load: raise its backlog and net.core.somaxconn, or add workers.",
        count: drops,
        evidence,
      });
    } else if (total > 0 && accepts === 0 && Math.min(...lastValues(now, series)) > 0) {
      found.push({
        rule: "listener-unattended",
        severity: "failing",
        subject,
        text: `${subject} accepts nothing: ${total} connections are waiting, and none was accepted in the last minute.`,
        next: "The process that listens does not call accept(): it is blocked, still starting, or has not passed its socket on.",
        count: total,
        evidence,
      });
    } else if (limit > 0 && most >= ACCEPT_QUEUE_FILLS * limit) {
      found.push({
        rule: "accept-queue-fills",
        severity: "slow",
        subject,
        text: `The accept queue of ${subject} was ${percent(most / limit)} full (${most} of ${limit}).`,
        next: "Connections are rejected when it is full: see how long they wait, and what the process does.",
        count: most,
        evidence,
      });
    }
  }
  return found;
};

/** The values of the last windows of a listener's queue. */
function lastValues(now: Evidence, { id }: Series): number[] {
  const all = now.metric("wirespan.tcp.accept_queue.usage").find(({ series }) => series.id === id);
  return all
    ? [...all.values]
        .sort(([a], [b]) => b - a)
        .slice(0, 2)
        .map(([, value]) => value)
    : [0];
}

const acceptErrors: Rule = (context) =>
  compared(
    context,
    "wirespan.tcp.accept.errors",
    (series) => `${series.resource}\n${text(series, "error.type")}`,
  )
    .filter(
      ({ total, usual }) => total.total >= ACCEPT_ERRORS.least && total.total > ACCEPT_ERRORS.factor * usual,
    )
    .map(({ name, total }) => {
      const [resource, error = ""] = name.split("\n");
      const service = context.resources.service(Number(resource));
      const isLimit = /file|descriptor|emfile|enfile|too_many/i.test(error);
      return {
        rule: "accept-fails",
        severity: "failing" as const,
        subject: `${service} (${error})`,
        text: `accept() of ${service} failed ${total.total} times in the last minute: ${error}.`,
        next: isLimit
          ? "The process has no file descriptors left: raise its limit (ulimit -n), or find what it does not close."
          : "See the errors of the process itself.",
        count: total.total,
        evidence: `/listeners?q=${encodeURIComponent(term("service", service))}`,
      };
    });

/** Reasons without consequences. */
const HARMLESS: ReadonlySet<string> = new Set(DROPS.harmless);

const drops: Rule = (context) =>
  compared(
    context,
    "wirespan.tcp.packet.dropped",
    (series) => `${series.resource}\n${text(series, "wirespan.packet.drop.reason")}`,
  )
    .filter(
      ({ name, total, usual }) =>
        !HARMLESS.has(name.split("\n")[1]!) &&
        total.total >= DROPS.least &&
        total.total > DROPS.factor * usual,
    )
    .map(({ name, total, usual }) => {
      const [resource, reason = ""] = name.split("\n");
      const service = context.resources.service(Number(resource));
      return {
        rule: "packets-dropped",
        // It shows the cause; its consequence is another finding, which is listed before it.
        severity: "unusual" as const,
        subject: `${service} (${reason})`,
        text: `This host dropped ${total.total} TCP packets of ${service} in the last minute: ${reason}.`,
        next: dropAdvice(reason),
        count: total.total,
        ...(usual > 0 && { ratio: total.total / usual }),
        evidence: `/losses?q=${encodeURIComponent(term("service", service))}`,
      };
    });

/** The last windows that cover a whole collection, so that an overloaded CPU is detected long before a minute has passed. */
function latestOf({ collected, covered }: Evidence): { readonly begins: readonly number[]; seconds: number } {
  const begins: number[] = [];
  let seconds = 0;
  for (const begin of collected.toReversed()) {
    if (seconds >= 0.9 * PERIOD) break;
    begins.push(begin);
    seconds += covered.get(begin)!;
  }
  return { begins, seconds };
}

const softirqCpu: Rule = ({ now }) => {
  const perCpu = groupTotals(now.metric("wirespan.softirq.time"), (series) =>
    text(series, "cpu.logical_number"),
  );
  const { begins, seconds } = latestOf(now);
  if (perCpu.has("") || perCpu.size < 2 || seconds === 0) return [];
  const shares = [...perCpu].map(([cpu, { values }]) => {
    const busy = begins.reduce((sum, begin) => sum + (values.get(begin) ?? 0), 0);
    return { cpu, share: busy / seconds };
  });
  const mean = shares.reduce((sum, { share }) => sum + share, 0) / shares.length;
  return shares
    .filter(({ share }) => share >= SOFTIRQ_BUSY || (share >= 0.2 && share >= 3 * mean))
    .map(({ cpu, share }) => {
      const vectors = now
        .metric("wirespan.softirq.time")
        .filter(({ series }) => text(series, "cpu.logical_number") === cpu)
        .sort((a, b) => b.total - a.total);
      const vector = vectors[0] ? text(vectors[0].series, "wirespan.softirq.vector") : "";
      return {
        rule: "softirq-hogs-cpu",
        severity: "slow" as const,
        subject: `CPU ${cpu} (${vector})`,
        text: `Softirqs took ${percent(share)} of CPU ${cpu} in the last ${Math.round(seconds)} s, most of it ${vector}; the mean of all CPUs is ${percent(mean)}.`,
        next: "Spread the interrupts: check /proc/interrupts, RSS queues (ethtool -l) and RPS (rps_cpus).",
        count: Math.round(share * 100),
        evidence: "/host",
      };
    });
};

const softirqWait: Rule = (context) => {
  const vector = (series: Series) => text(series, "wirespan.softirq.vector");
  const earlier = groupTotals(context.before.metric("wirespan.softirq.latency"), vector);
  return [...groupTotals(context.now.metric("wirespan.softirq.latency"), vector)].flatMap(
    ([name, { histogram }]) => {
      const p99 = quantile(histogram, 0.99);
      const usual = earlier.get(name);
      const before = usual ? quantile(usual.histogram, 0.99) : 0;
      if (
        !name.startsWith("net_") ||
        histogram.count < 100 ||
        p99 < SOFTIRQ_WAITS.seconds ||
        p99 < SOFTIRQ_WAITS.factor * before ||
        before === 0
      )
        return [];
      return {
        rule: "softirq-waits",
        severity: "slow" as const,
        subject: name,
        text: `${name} waits ${duration(p99)} from raise to run at the 99th percentile; it was ${duration(before)}.`,
        next: "Something occupies the CPUs with interrupts or softirqs disabled: see which vector runs longest.",
        count: histogram.count,
        ratio: p99 / before,
        evidence: "/host",
      };
    },
  );
};

const napi: Rule = ({ now }) => {
  const sum = (metric: string) => now.metric(metric).reduce((total, one) => total + one.total, 0);
  const polls = sum("wirespan.softirq.napi.polls");
  const exhausted = sum("wirespan.softirq.napi.exhausted");
  if (exhausted < NAPI_EXHAUSTED.least || exhausted / polls < NAPI_EXHAUSTED.share) return [];
  return [
    {
      rule: "napi-budget-exhausted",
      severity: "unusual",
      subject: "NAPI",
      text: `${percent(exhausted / polls)} of the NAPI polls used up their budget (${exhausted} of ${polls}): more packets were waiting.`,
      next: "The CPU that polls is busy: spread the queues, or raise net.core.netdev_budget.",
      count: exhausted,
      evidence: "/host",
    },
  ];
};

const queueShare: Rule = ({ now }) => {
  const device = ({ attributes }: Series) =>
    `${attributes["wirespan.netns.cookie"]} ${attributes["network.interface.name"]} ${attributes["network.io.direction"]}`;
  const byDevice = Map.groupBy(now.metric("wirespan.netdev.queue.packets"), ({ series }) => device(series));
  const found: Finding[] = [];
  for (const queues of byDevice.values()) {
    const total = queues.reduce((sum, one) => sum + one.total, 0);
    if (queues.length < 2 || total < 10_000) continue;
    const busiest = queues.reduce((most: SeriesTotal, one) => (one.total > most.total ? one : most));
    const share = busiest.total / total;
    if (share < Math.min(0.95, 2 / queues.length)) continue;
    const { attributes } = busiest.series;
    const subject = `${attributes["network.interface.name"]} queue ${attributes["wirespan.netdev.queue.id"]}`;
    found.push({
      rule: "queue-unbalanced",
      severity: "unusual",
      subject,
      text: `${percent(share)} of the packets of ${attributes["network.interface.name"]} (${attributes["network.io.direction"]}) went through queue ${attributes["wirespan.netdev.queue.id"]} of ${queues.length}.`,
      next: "Check the hash of its queues (ethtool -x), and whether one connection carries most of it.",
      count: busiest.total,
      evidence: "/host",
    });
  }
  return found;
};

const transmitFailures: Rule = (context) =>
  compared(context, "wirespan.netdev.transmit.failures", (series) => text(series, "network.interface.name"))
    .filter(
      ({ total, usual }) =>
        total.total >= TRANSMIT_FAILURES.least && total.total > TRANSMIT_FAILURES.factor * usual,
    )
    .map(({ name, total }) => ({
      rule: "transmit-fails",
      severity: "slow" as const,
      subject: name,
      text: `The driver of ${name} did not accept ${total.total} frames in the last minute.`,
      next: "The driver's ring is full, or the device has a problem: see ethtool -S.",
      count: total.total,
      evidence: "/host",
    }));

/** States in which sockets accumulate if nothing acts, and what that means. */
const PILES: Readonly<Record<string, string>> = {
  close_wait: "The application does not close connections that its peers have ended: it leaks sockets.",
  syn_received:
    "Handshakes do not complete: their last packets are lost, or the listener is being flooded with SYNs.",
};

/**
 * Whose sockets went from ESTABLISHED to CLOSE_WAIT and stayed there: the gauge is for the whole host. Undefined: no
 * single owner has most of them.
 */
function keeperOf(now: Evidence, came: number): number | undefined {
  const weight: Readonly<Record<string, number>> = { established: 1, fin_wait_1: -1, close_wait: -1 };
  const left = new Map<number, number>();
  for (const { series, histogram } of now.metric("wirespan.tcp.state.duration")) {
    const more = histogram.count * (weight[text(series, "network.connection.state")] ?? 0);
    left.set(series.resource, (left.get(series.resource) ?? 0) + more);
  }
  const [most] = [...left].sort(([, a], [, b]) => b - a);
  return most && most[1] >= came / 2 ? most[0] : undefined;
}

/** Whether a gauge never decreased. If it began in that time, it must have grown until the end: a jump is not growth. */
function grows(values: readonly number[]): boolean {
  const [last = 0, previous = 0] = values.toReversed();
  const [first = 0] = values;
  if (values.some((value, i) => i > 0 && value < values[i - 1]!)) return false;
  return last > (first > 0 ? first : previous);
}

const piles: Rule = ({ now, resources }) =>
  now.metric("system.network.connection.count").flatMap(({ series, values }) => {
    const state = text(series, "network.connection.state");
    const next = PILES[state];
    // If no socket is in a state, there is no point.
    const counts = now.collected.map((begin) => values.get(begin) ?? 0);
    const first = counts[0] ?? 0;
    const last = counts.at(-1) ?? 0;
    if (next === undefined || last < PILE || !grows(counts)) return [];
    const keeper = state === "close_wait" ? keeperOf(now, last - first) : undefined;
    const service = resources.service(keeper ?? series.resource);
    return {
      rule: "sockets-pile-up",
      severity: "unusual" as const,
      subject: `${service} (${state})`,
      text: `Sockets of ${service} in ${state.toUpperCase()} grow: ${first} a minute ago, ${last} now.`,
      next,
      count: last,
      evidence: `/connections?q=${encodeURIComponent(term("service", service))}`,
    };
  });

const agentLosses: Rule = (context) => {
  const lost = compared(context, "wirespan.agent.connection.lost", (series) => text(series, "error.type"))
    .filter(({ total }) => total.total > 0)
    .map(
      ({ name, total }): Finding => ({
        rule: "agent-lost",
        severity: "unusual",
        subject: `wirespan (${name})`,
        text: `The ends of ${total.total} connections are missing from these numbers: ${name}.`,
        next: "See the agent's own state.",
        count: total.total,
        evidence: "/agent",
      }),
    );
  const failed = context.now
    .metric("wirespan.agent.plugin.state")
    .filter(({ series, total }) => total > 0 && /failed|degraded/.test(JSON.stringify(series.attributes)))
    .map(
      ({ series }): Finding => ({
        rule: "plugin-failed",
        severity: "unusual",
        subject: `wirespan (${text(series, "wirespan.plugin.name")})`,
        text: `The plugin ${text(series, "wirespan.plugin.name")} does not observe everything that it should on this host.`,
        next: "wirespan doctor says what is missing, and how to provide it.",
        count: 1,
        evidence: "/agent",
      }),
    );
  return [...lost, ...failed];
};

export const HOST_RULES: readonly Rule[] = [
  acceptQueue,
  acceptErrors,
  drops,
  softirqCpu,
  softirqWait,
  napi,
  queueShare,
  transmitFailures,
  piles,
  agentLosses,
];
