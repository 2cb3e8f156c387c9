// The balancing Collector of docs/backends.md, with its file unchanged except for addresses. Two agents send to it, one at each
// end of every connection.
import assert from "node:assert/strict";
import { startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { type Netns, needsRoot } from "../support/netns.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { eventsOf, seriesOf, spansOf } from "../support/received.ts";
import { addresses, pair } from "../support/topology.ts";
import { until } from "../support/until.ts";
import { build, run } from "../support/workload.ts";
import { startExampleCollector } from "./example-collector.ts";
import { needBackends } from "./find.ts";

const GOOD = 200;
const REFUSED = 5;

const startIn = (netns: Netns, endpoint: string) =>
  startAgent(
    ["--plugin", "tcplife", "--plugin", "tcpconnect", "--plugin", "tcptracer", "--plugin", "solisten"],
    {
      config: `version: 1
control: { socket: "" }
viewer: false
metrics: { interval: 500ms }
filter: { include: { netns: ["${inodeOf(netns)}"] } }
exporters: { collector: { type: otlp_grpc, endpoint: "${endpoint}" } }
`,
    },
  );

describe("a Collector that balances", () => {
  before(async function () {
    needsRoot(this);
    needBackends(this, "collector-balancing");
    await build();
  });

  it("sends all spans of a trace to the same gateway, whichever agent they are from, and metrics and events to any", async () => {
    await using stack = new AsyncDisposableStack();
    const gateways = [stack.use(await OtlpSink.start("grpc")), stack.use(await OtlpSink.start("grpc"))];
    const rest = stack.use(await OtlpSink.start("grpc"));
    const collector = await startExampleCollector("balancing", ({ exporters }) => {
      const hostnames = gateways.map(({ endpoint }) => new URL(endpoint).host);
      exporters.loadbalancing!.resolver = { static: { hostnames } };
      exporters["otlp/rest"]!.endpoint = rest.endpoint;
    });
    stack.use(collector.service);
    await using net = await pair();
    await using client = await startIn(net.a, collector.grpc);
    await using server = await startIn(net.b, collector.grpc);
    await run(net.a, "clientCloses", { address: addresses.b, server: net.b, count: GOOD, delay: 0 });
    await run(net.a, "attempt", { address: addresses.b, count: REFUSED });
    for (const agent of [client, server]) assert.equal((await agent.stop()).code, 0);

    const spans = () => gateways.map(({ received }) => spansOf(received));
    const all = 4 * GOOD + 2 * REFUSED;
    await until("all spans", () => spans().flat().length >= all);
    const traces = spans().map((of) => Map.groupBy(of, ({ traceId }) => traceId));
    const [first, second] = traces.map((of) => new Set(of.keys()));
    assert.deepEqual(first!.intersection(second!), new Set());
    for (const { size } of [first!, second!]) assert.ok(size > GOOD / 5, `${size} traces`);
    const names = traces.flatMap((of) => [...of.values()].map((each) => each.map(({ name }) => name)));
    const count = (...wanted: string[]) =>
      names.filter((of) => of.toSorted().join() === wanted.join()).length;
    assert.equal(count("tcp accept", "tcp connect", "tcp connection", "tcp connection"), GOOD);
    assert.equal(count("tcp connect", "tcp connection"), REFUSED);
    assert.equal(names.length, GOOD + REFUSED);

    const attempts = () =>
      seriesOf(rest.received)
        .filter(({ name }) => name === "wirespan.tcp.connect.attempts")
        .reduce((sum, { value }) => sum + value, 0);
    await until("all attempts", () => attempts() === GOOD + REFUSED);
    const events = () =>
      eventsOf(rest.received)
        .map(({ name }) => name)
        .toSorted();
    await until("the listener's events", () => events().length >= 2);
    assert.deepEqual(events(), ["wirespan.socket.listen", "wirespan.socket.listener.end"]);
  });
});
