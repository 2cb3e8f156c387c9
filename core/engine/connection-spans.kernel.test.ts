// Connection spans are complete, even for connections older than the agent.
import assert from "node:assert/strict";
import { type ChildProcess as Server, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { startAgent } from "../../test/support/agent.ts";
import { heldLinks, heldPrograms, loadedPrograms } from "../../test/support/bpf-programs.ts";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { type Kept, type Watch, watch } from "../../test/support/engine.ts";
import { end, Netns, needsRoot, output } from "../../test/support/netns.ts";
import { addresses, pair } from "../../test/support/topology.ts";
import { until } from "../../test/support/until.ts";
import { build, one, run, start } from "../../test/support/workload.ts";

const DIRECTION = "wirespan.connection.direction";
const SENT = "wirespan.tcp.bytes_sent";
const RECEIVED = "wirespan.tcp.bytes_received";

function of(watch: Pick<Watch, "spans">, ...namespaces: readonly Netns[]): Kept[] {
  const inodes = namespaces.map(inodeOf);
  return watch.spans.filter(({ attributes }) =>
    inodes.includes(attributes["wirespan.netns.inode"] as number),
  );
}

describe("connections", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  it("are reported completely in a burst of 10,000, and the counters agree", async () => {
    await using seen = await watch(["tcplife"]);
    await using netns = await Netns.create();
    const lines = await run(netns, "burst", { count: 10_000 });
    const summary = one(lines, "summary", "client");
    assert.deepEqual([summary.connections, summary.failed, summary.sent], [10_000, 0, 10_000]);
    const lost = () => seen.counters().lost_spans ?? 0;
    await seen.until("20,000 ends", () => of(seen, netns).length + lost() >= 20_000);
    assert.equal(lost(), 0);
    const ends = of(seen, netns);
    assert.equal(ends.length, 20_000);

    const traces = Map.groupBy(ends, ({ traceId }) => traceId);
    assert.equal(traces.size, 10_000);
    let [up, down] = [0, 0];
    const wrong: Kept[] = [];
    for (const both of traces.values()) {
      const opener = both.find(({ attributes }) => attributes[DIRECTION] === "outbound");
      const acceptor = both.find(({ attributes }) => attributes[DIRECTION] === "inbound");
      assert.ok(opener && acceptor && both.length === 2, JSON.stringify(both));
      assert.equal(acceptor.parentSpanId, opener.spanId);
      if (opener.attributes["process.pid"] !== summary.pid) wrong.push(opener);
      if (acceptor.attributes["process.pid"] !== one(lines, "summary", "server").pid) wrong.push(acceptor);
      up += (opener.attributes[SENT] as number) + (acceptor.attributes[RECEIVED] as number);
      down += (opener.attributes[RECEIVED] as number) + (acceptor.attributes[SENT] as number);
    }
    assert.deepEqual(wrong.slice(0, 3), []);
    assert.deepEqual([up, down], [20_000, 0]);
    const ids = new Set(seen.spans.map(({ traceId, spanId }) => traceId + spanId));
    assert.equal(ids.size, seen.spans.length);
    // Other programs' connections end during the test.
    await seen.until("closed account", () => seen.counters().seen_spans === seen.spans.length + lost());
  });

  it("are lost only if the ring is full, and then counted", async () => {
    await using seen = await watch(["tcplife"], { "ring.core": "4KiB", "ring.drainInterval": "10s" });
    await using netns = await Netns.create();
    await run(netns, "burst", { count: 500 });
    await seen.until("account", () => {
      const { seen_spans = 0, lost_spans = 0 } = seen.counters();
      return seen_spans >= 1000 && seen_spans === seen.spans.length + lost_spans;
    });
    assert.ok((seen.counters().lost_spans ?? 0) > 0);
  });

  it("are counted if their records cannot be handled, and no other is lost", async () => {
    await using seen = await watch(["tcplife"], { "log.level": "silent" });
    await using netns = await Netns.create();
    const keep = seen.spans.push;
    const failing = { left: 3 };
    seen.spans.push = (...kept) => {
      if (of({ spans: kept }, netns).length > 0 && failing.left-- > 0) throw new Error("refused");
      return keep.apply(seen.spans, kept);
    };
    await run(netns, "burst", { count: 50 });
    await seen.until("all but three", () => of(seen, netns).length === 97);
    assert.equal(seen.counters().unhandled_records, 3);
  });

  it("wake an idle agent", async () => {
    await using seen = await watch(["tcplife"], { "ring.drainInterval": "1ms" });
    await using netns = await Netns.create();
    await using held = await start(netns, "held", { up: 1, later: 1, down: 1 });
    // New processes wake it in a different way.
    await held.until("opened");
    await delay(500); // after this many empty reads it waits to be woken
    held.goOn();
    // Without reading the rings, as `seen.until` does.
    await until("both ends", () => of(seen, netns).length === 2);
  });

  for (const address of [addresses.b, addresses.b6]) {
    it(`that are older than the agent are reported with what is known (${address})`, async () => {
      await using net = await pair();
      await using held = await start(net.a, "held", { address, server: net.b, up: 100, later: 23, down: 45 });
      await held.until("opened");
      await using seen = await watch(["tcplife"]);
      held.goOn();
      const lines = await held.done();
      await seen.until("both ends", () => of(seen, net.a, net.b).length >= 2);
      const ends = of(seen, net.a, net.b);
      assert.equal(ends.length, 2);
      const [client, server] = [one(lines, "end", "client"), one(lines, "end", "server")];
      for (const line of [client, server]) {
        const outbound = line.role === "client";
        const found = ends.find(({ attributes }) => attributes["process.pid"] === line.pid);
        assert.ok(found, `${line.role} has an owner`);
        const { attributes } = found;
        assert.equal(attributes[DIRECTION], outbound ? "outbound" : "inbound");
        assert.equal(attributes["wirespan.connection.start_unknown"], true);
        // The server has used it since.
        assert.equal(attributes["wirespan.process.source"], outbound ? "holder" : "io");
        assert.equal(attributes["thread.name"], outbound ? "pcli" : "psrv");
        assert.equal(attributes["process.executable.name"], outbound ? "pcli" : "psrv");
        assert.equal(attributes["network.local.port"], line.localPort);
        assert.deepEqual([attributes[SENT], attributes[RECEIVED]], [line.sent, line.received]);
        assert.equal(attributes["wirespan.tcp.close.reason"], outbound ? "fin_local" : "fin_remote");
      }
      assert.equal(ends[0]!.traceId, ends[1]!.traceId);
      assert.notEqual(ends[0]!.spanId, ends[1]!.spanId);
    });
  }

  it("that waited in an accept queue when the agent started are tracked from their first use", async () => {
    await using netns = await Netns.create();
    await using queued = await start(netns, "queued", { up: 100, down: 45 });
    await queued.until("opened");
    await using seen = await watch(["tcplife"]);
    queued.goOn();
    const lines = await queued.done();
    await seen.until("both ends", () => of(seen, netns).length >= 2);
    const ends = of(seen, netns);
    assert.equal(ends.length, 2);
    const server = one(lines, "end", "server");
    const accepted = ends.find(({ attributes }) => attributes["process.pid"] === server.pid);
    assert.ok(accepted);
    const { attributes } = accepted;
    assert.equal(attributes[DIRECTION], "inbound");
    assert.equal(attributes["wirespan.process.source"], "io");
    assert.equal(attributes["wirespan.connection.start_unknown"], true);
    assert.deepEqual([attributes[SENT], attributes[RECEIVED]], [45, 100]);
    assert.equal(ends[0]!.traceId, ends[1]!.traceId);
  });

  it("leave nothing in the kernel after the agent has ended", async () => {
    const before = loadedPrograms();
    const agent = await startAgent(["trace", "tcplife", "--json"]);
    const tags = heldPrograms(agent.pid);
    assert.ok(heldLinks(agent.pid).length >= 4, "it holds links");
    const ofTags = [...loadedPrograms().difference(before)].filter((line) =>
      tags.some((tag) => line.includes(`bpf_prog_${tag}_`)),
    );
    assert.ok(ofTags.length >= new Set(tags).size);
    assert.equal((await agent.stop()).code, 0);
    await agent[Symbol.asyncDispose]();
    await until("the kernel to free the programs", () => {
      const now = loadedPrograms();
      return ofTags.every((line) => !now.has(line));
    });

    const seen = await watch(["tcplife"]);
    assert.ok(heldPrograms(process.pid).length > 0 && heldLinks(process.pid).length > 0);
    await seen[Symbol.asyncDispose]();
    assert.deepEqual([...heldPrograms(process.pid), ...heldLinks(process.pid)], []);
  });

  describe("of the agent itself", () => {
    let server: Server;
    let port: number;

    /** A collector in another process, to which the agent exports. */
    beforeEach(async () => {
      const code = `require("node:net").createServer((s) => s.resume().on("end", () => s.end()))
        .listen(0, "127.0.0.1", function () { console.log(this.address().port); });`;
      server = spawn(process.execPath, ["-e", code], { stdio: ["pipe", "pipe", "inherit"] });
      port = Number(String((await once(server.stdout!, "data"))[0]));
    });

    afterEach(() => end(server));

    async function send(): Promise<void> {
      const socket = connect(port, "127.0.0.1");
      socket.end("telemetry");
      await once(socket.resume(), "close");
    }

    const ours = (seen: Watch) =>
      seen.spans.filter(({ attributes }) =>
        [attributes["network.local.port"], attributes["network.peer.port"]].includes(port),
      );

    it("are excluded at both ends, and counted", async () => {
      await using seen = await watch(["tcplife"]);
      const before = seen.counters().excluded_self ?? 0;
      for (let i = 0; i < 10; i++) await send();
      await seen.until("account", () => (seen.counters().excluded_self ?? 0) - before >= 20);
      assert.equal((seen.counters().excluded_self ?? 0) - before, 20);
      assert.deepEqual(ours(seen), []);
    });

    it("are excluded if the agent accepts them", async () => {
      await using seen = await watch(["tcplife"]);
      const listener = createServer((socket) => socket.resume().on("end", () => socket.end()));
      await once(listener.listen(0, "127.0.0.1"), "listening");
      const own = (listener.address() as AddressInfo).port;
      const code = `require("node:net").connect(${own}, "127.0.0.1").end("scrape").resume();`;
      await output(process.execPath, ["-e", code]);
      listener.close();
      const of = () =>
        seen.spans.filter(({ attributes: a }) =>
          [a["network.local.port"], a["network.peer.port"]].includes(own),
        );
      await seen.until("the other's end", () => of().length > 0 && seen.counters().excluded_self === 1);
      assert.deepEqual(
        of().map(({ attributes }) => attributes[DIRECTION]),
        ["outbound"],
      );
    });

    it("are reported on request", async () => {
      await using seen = await watch(["tcplife"], { "self.exclude": "false" });
      await send();
      await seen.until("both ends", () => ours(seen).length >= 2);
      const pids = ours(seen).map(({ attributes }) => attributes["process.pid"]);
      assert.deepEqual(new Set(pids), new Set([process.pid, server.pid]));
      assert.equal(seen.counters().excluded_self, 0);
    });
  });
});
