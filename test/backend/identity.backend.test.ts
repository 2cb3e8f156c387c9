// Instances in a real Prometheus, configured as in config/examples/prometheus.yaml: replicas, versions and hosts never
// share a series, and each series has the bytes and connections of its own processes.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Agent, startAgent } from "../support/agent.ts";
import { Cgroup } from "../support/cgroup.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { until } from "../support/until.ts";
import { start as begin, type Line, type Options, pick } from "../support/workload.ts";
import { needBackends } from "./find.ts";
import { type MetricStore, type Sample, startPrometheus } from "./prometheus.ts";

const example = fileURLToPath(new URL("../../config/examples/prometheus.yaml", import.meta.url));

function start(netns: Netns, store: MetricStore, host?: string): Promise<Agent> {
  return startAgent(["--config", example], {
    env: {
      WIRESPAN_EXPORTERS_PROMETHEUS_PER_SIGNAL_ENDPOINTS_METRICS: store.otlpMetrics,
      WIRESPAN_METRICS_INTERVAL: "500ms",
      WIRESPAN_CONTROL_SOCKET: "",
      WIRESPAN_FILTER_INCLUDE_NETNS: String(statSync(netns.path).ino),
      ...(host !== undefined && { WIRESPAN_RESOURCE_ATTRIBUTES: `host.id=${host},host.name=${host}` }),
    },
  });
}

/** What the processes of one replica have counted. */
interface Truth {
  readonly connections: number;
  /** By program, then by direction. */
  readonly bytes: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

interface Replica {
  readonly cgroup: Cgroup;
  readonly version: string;
  readonly count: number;
  readonly up: number;
}

/** A connection both of whose ends live long enough for an agent on a busy machine to read them. */
async function hold(netns: Netns, options: Options): Promise<readonly Line[]> {
  await using running = await begin(netns, "held", { ...options, down: 500 });
  await running.until("opened");
  await delay(2000);
  running.goOn();
  return await running.done();
}

async function work(netns: Netns, { cgroup, version, count, up }: Replica, more = ""): Promise<Truth> {
  const env = {
    OTEL_SERVICE_NAME: "cart",
    OTEL_RESOURCE_ATTRIBUTES: `service.version=${version}${more}`,
  };
  const lines = (
    await Promise.all(Array.from({ length: count }, () => hold(netns, { cgroup, up, env })))
  ).flat();
  const sums = (role: "client" | "server") => {
    const ends = pick(lines, "end", role);
    const sum = (key: "sent" | "received") => ends.reduce((all, end) => all + end[key], 0);
    return { transmit: sum("sent"), receive: sum("received") };
  };
  return { connections: count, bytes: { pcli: sums("client"), psrv: sums("server") } };
}

/** The values of a metric by all labels except the instance; each set has one value for each instance. */
async function byLabels(store: MetricStore, query: string): Promise<readonly (readonly Sample[])[]> {
  const samples = await store.query(query);
  const labels = ({ instance: _, service_instance_id: __, ...others }: Sample["metric"]) =>
    JSON.stringify(Object.entries(others).sort());
  return [...Map.groupBy(samples, ({ metric }) => labels(metric)).values()];
}

const value = (sample: Sample) => Number(sample.value?.[1]);
const ascending = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);

/** Waits until the store has everything, then compares; returns the instances that it found. */
async function check(store: MetricStore, truths: readonly Truth[], of = ""): Promise<readonly string[]> {
  const all = `service_name="cart"${of}`;
  const programs = ["pcli", "psrv"];
  const total = 2 * truths.reduce((sum, { connections }) => sum + connections, 0);
  const closed = "wirespan_tcp_connection_closed_total";
  await until(`all ${total} connections`, async () => {
    const [sum] = await store.query(`sum(${closed}{${all}})`);
    return sum && value(sum) === total;
  }).catch(async (error: Error) => {
    const samples = await store.query(closed);
    assert.fail(
      `${error.message}: ${samples.map((s) => JSON.stringify([s.metric, s.value?.[1]])).join("\n")}`,
    );
  });
  const counts = ascending(truths.map(({ connections }) => connections));
  const found = new Set<string>();
  for (const metric of [
    "sum without (wirespan_tcp_close_reason) (wirespan_tcp_connection_closed_total",
    "sum without () (wirespan_tcp_connect_attempts_total",
    "sum without () (wirespan_tcp_connection_accepted_total",
    "histogram_count(wirespan_tcp_connect_duration_seconds",
    "histogram_count(wirespan_tcp_accept_duration_seconds",
  ]) {
    const sets = await byLabels(store, `${metric}{${all}})`);
    assert.ok(sets.length > 0, metric);
    for (const samples of sets) {
      assert.equal(new Set(samples.map((s) => s.metric.instance)).size, truths.length, metric);
      assert.deepEqual(ascending(samples.map(value)), counts, metric);
      for (const { metric: labels } of samples) found.add(labels.instance!);
    }
  }
  for (const program of programs) {
    for (const direction of ["transmit", "receive"]) {
      const of = `${all},process_executable_name="${program}",network_io_direction="${direction}"`;
      const query = `sum without (wirespan_tcp_close_reason) (wirespan_tcp_io_bytes_total{${of}})`;
      const [samples = [], ...others] = await byLabels(store, query);
      assert.equal(others.length, 0);
      const expected = truths.map(({ bytes }) => bytes[program]![direction]!);
      assert.deepEqual(ascending(samples.map(value)), ascending(expected), of);
      assert.equal(new Set(samples.map((s) => s.metric.instance)).size, truths.length);
    }
  }
  return [...found].sort();
}

describe("two replicas of two versions of a service in Prometheus", () => {
  before(function () {
    needsRoot(this);
    needBackends(this, "prometheus");
  });

  for (const [what, nameOf, more] of [
    ["containers", (i: number) => `${i}`.repeat(64), ""],
    ["cgroups", (i: number) => `replica-${i}`, ""],
    [
      "containers that all say the same instance",
      (i: number) => `${i}`.repeat(64),
      ",service.instance.id=one",
    ],
  ] as const) {
    it(`are four instances, each with its own sums, also after a restart and on two hosts: ${what}`, async function () {
      await using store = await startPrometheus();
      await using netns = await Netns.create();
      await using top = Cgroup.create(this);
      await using cleanup = new AsyncDisposableStack();
      const replicas = [1, 2, 3, 4].map((i): Replica => {
        const cgroup = cleanup.use(top.child(nameOf(i)));
        return { cgroup, version: `${1 + (i % 2)}.0`, count: i, up: 1000 * i };
      });
      const go = () => Promise.all(replicas.map((replica) => work(netns, replica, more)));
      let before: readonly string[] = [];
      {
        await using agent = await start(netns, store);
        before = await check(store, await go());
        assert.equal(before.length, what === "cgroups" ? 8 : 4);
        assert.equal((await agent.stop()).code, 0);
      }
      // Which of several processes that claim one instance keeps it depends on which is seen first.
      if (more) return;
      {
        await using agent = await start(netns, store);
        assert.deepEqual(await check(store, await go()), before, "the same in the next agent");
        assert.equal((await agent.stop()).code, 0);
      }
      await using a = await start(netns, store, "alpha");
      await using b = await start(netns, store, "beta");
      const truths = await go();
      const onA = await check(store, truths, ',host_name="alpha"');
      const onB = await check(store, truths, ',host_name="beta"');
      if (what === "cgroups") assert.equal(new Set([...onA, ...onB]).size, 16);
      for (const agent of [a, b]) assert.equal((await agent.stop()).code, 0);
    });
  }
});
