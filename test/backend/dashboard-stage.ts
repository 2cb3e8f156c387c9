// Four real stores, an agent that exports to them, and traffic with known numbers.
import { statSync } from "node:fs";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { installedPlugins } from "../../core/engine/discover.ts";
import type { Known } from "../../dashboards/expected/known.ts";
import { startAgent } from "../support/agent.ts";
import { interfaceOf, prepare, round, startBackground } from "../support/dashboard-traffic.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { softirqRuns } from "../support/softirqs.ts";
import { type Pair, pair } from "../support/topology.ts";
import { copied } from "../support/workload.ts";
import { freePorts } from "./ports.ts";
import { type MetricStore, startPrometheus, startVictoria } from "./prometheus.ts";

/** Milliseconds between collections. */
const INTERVAL = 500;

export interface StagedStore {
  readonly kind: "prometheus" | "victoria";
  readonly histograms: "exponential" | "explicit";
  readonly store: MetricStore;
}

export interface Stage extends AsyncDisposable {
  readonly stores: readonly StagedStore[];
  readonly known: Known;
  /** Unix seconds at which the window of the known numbers ends. */
  readonly time: number;
}

/** Both stores, each with both kinds of histograms; Prometheus evaluates the rules in a file. */
async function startStores(made: AsyncDisposableStack, rules: string): Promise<StagedStore[]> {
  const started = (["prometheus", "victoria"] as const).flatMap((kind) =>
    (["exponential", "explicit"] as const).map(async (histograms) => {
      const store = await (kind === "prometheus" ? startPrometheus(rules) : startVictoria());
      return { kind, histograms, store: made.use(store) };
    }),
  );
  return await Promise.all(started);
}

/**
 * Everything optional is enabled. `endpoints`: of backends that accept everything, that reject everything, and that do
 * not exist.
 */
function configOf(
  net: Pair,
  stores: readonly StagedStore[],
  endpoints: Record<"sink" | "refusing" | "away", string>,
) {
  const inodes = [net.a, net.b].map(({ path }) => `"${statSync(path).ino}"`);
  const exporters = stores.map(({ kind, histograms, store }) => {
    const name = histograms === "explicit" ? `${kind}-explicit` : kind;
    return `  ${name}: { type: otlp_http, signals: [metrics], histograms: ${histograms}, perSignalEndpoints: { metrics: "${store.otlpMetrics}" } }`;
  });
  return `version: 1
control: { socket: "" }
metrics: { interval: ${INTERVAL}ms }
filter: { include: { netns: [${inodes.join(", ")}] } }
plugins:
  netqtop: { transmitFailures: true, queueWait: true }
  softirqs: { perCpu: true }
  tcpretrans: { flows: true }
self: { bpfStats: true }
exporters:
  sink: { type: otlp_grpc, endpoint: "${endpoints.sink}" }
  refusing: { type: otlp_http, endpoint: "${endpoints.refusing}" }
  away: { type: otlp_grpc, endpoint: "${endpoints.away}" }
${exporters.join("\n")}
`;
}

/** Stages everything, which takes half a minute. `rules`: the rule file. */
export async function stageDashboards(rules: string): Promise<Stage> {
  await using made = new AsyncDisposableStack();
  const stores = await startStores(made, rules);
  const sink = made.use(await OtlpSink.start("grpc"));
  const refusing = made.use(await OtlpSink.start("http"));
  refusing.answer = { kind: "fail", code: 400, message: "no" };
  const [nowhere] = await freePorts(1);
  for (const name of ["steady", "steadysrv"]) made.use(await copied(name));
  const net = made.use(await pair({ queues: 2 }));
  await prepare(net);
  const endpoints = { sink: sink.endpoint, refusing: refusing.endpoint, away: `http://127.0.0.1:${nowhere}` };
  made.use(await startAgent([], { config: configOf(net, stores, endpoints) }));
  const background = made.use(await startBackground(net));
  const look = async () => ({
    softirqs: softirqRuns(),
    packets: await interfaceOf(net.a),
    a: await net.a.counters(),
    b: await net.b.counters(),
    spans: sink.spans.length,
    events: sink.logs.length,
  });

  // Every series exists before the window begins.
  await round(net);
  await sleep(4 * INTERVAL);
  const begin = Date.now();
  const first = await look();
  await sleep(2 * INTERVAL);
  const done = await round(net);
  await sleep(3 * INTERVAL);
  const last = await look();
  const seconds = Math.ceil((Date.now() - begin) / 1000);
  await sleep(begin + seconds * 1000 - Date.now() + 3 * INTERVAL);

  const moved = (side: "a" | "b") =>
    Object.fromEntries(Object.entries(last[side]).map(([name, value]) => [name, value - first[side][name]!]));
  const runs = [...last.softirqs].map(([vector, count]) => [vector, count - first.softirqs.get(vector)!]);
  const known: Known = {
    ...done,
    ...background,
    seconds,
    rounds: 2,
    netns: { a: net.a.name, b: net.b.name },
    a: moved("a"),
    b: moved("b"),
    sentPackets: last.packets.tx.packets - first.packets.tx.packets,
    receivedPackets: last.packets.rx.packets - first.packets.rx.packets,
    softirqs: Object.fromEntries(runs),
    cpus: cpus().length,
    plugins: installedPlugins().length,
    spans: last.spans - first.spans,
    events: last.events - first.events,
  };
  const owned = made.move();
  return { stores, known, time: begin / 1000 + seconds, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
