// How series begin and end in a real Prometheus with the settings of config/examples/prometheus.yaml.
import assert from "node:assert/strict";
import { once } from "node:events";
import { startAgent } from "../support/agent.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { until } from "../support/until.ts";
import { needBackends } from "./find.ts";
import { startPrometheus } from "./prometheus.ts";

const COUNT = 5;
/** Connects to itself COUNT times, then keeps listening. */
const APPLICATION = `
  const net = require("node:net");
  const server = net.createServer((socket) => socket.end()).listen(7777, "127.0.0.1", async () => {
    for (let i = 0; i < ${COUNT}; i++) {
      const socket = net.connect(7777, "127.0.0.1").resume();
      await new Promise((resolve) => socket.on("close", resolve));
    }
  });`;

describe("series in Prometheus", () => {
  before(function () {
    needsRoot(this);
    needBackends(this, "prometheus");
  });

  it("show the first events of a counter, and end when their subject has ended", async () => {
    await using store = await startPrometheus();
    await using netns = await Netns.create();
    await using _ = await startAgent([], {
      config: `version: 1
metrics: { interval: 1s }
plugins: { tcplife: {}, solisten: {} }
exporters:
  prometheus: { type: otlp_http, perSignalEndpoints: { metrics: "${store.otlpMetrics}" }, signals: [metrics] }
`,
    });
    const running = Date.now() / 1000;
    await until("a collection before it", async () => {
      const collected = await store.query("timestamp(wirespan_agent_events_total)");
      return collected.some(({ value }) => Number(value![1]) > running);
    });
    const application = netns.spawn(process.execPath, ["--eval", APPLICATION], {
      env: { ...process.env, OTEL_SERVICE_NAME: "till" },
    });
    const ended = once(application, "exit");
    const outbound = `wirespan_tcp_connection_closed_total{service_name="till",wirespan_connection_direction="outbound"}`;
    const [first] = await until("what was counted first", async () => {
      const [found] = await store.query(`${outbound}[5m]`);
      return found?.values?.at(-1)?.[1] === `${COUNT}` && found.values;
    });
    assert.equal(first![1], "0");
    // Not the agent's start, which may be before a query's range.
    assert.ok(first![0] > running, `${first![0]} is before ${running}`);
    const backlog = `wirespan_tcp_accept_queue_limit{service_name="till",server_port="7777"}`;
    await until("the listener", async () => (await store.query(backlog)).length === 1);
    application.kill();
    await ended;
    await until("its series to end", async () => (await store.query(backlog)).length === 0, 10_000);
  });
});
