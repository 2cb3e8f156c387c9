// Both ends of connections, each seen by a separate agent, form one trace by their ids alone.
import assert from "node:assert/strict";
import type { StdioOptions } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Agent, startAgent } from "../support/agent.ts";
import { Certificates } from "../support/certificates.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { type Watch, watch } from "../support/engine.ts";
import { type Netns, needsRoot } from "../support/netns.ts";
import type { DecodedSpan } from "../support/otlp-decode.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { addresses, type Pair, pair, type Routed, routed, routedAddresses } from "../support/topology.ts";
import { until } from "../support/until.ts";
import { build, type Case, type Options, type Running, run, start } from "../support/workload.ts";

const DIRECTION = "wirespan.connection.direction";
const v4 = { address: routedAddresses.routerForClient, listen: routedAddresses.server };
const v6 = { address: routedAddresses.routerForClient6, listen: routedAddresses.server6 };
const ways = { "IPv4, SNAT and DNAT": v4, "IPv6, SNAT and DNAT": v6 } as const;

/** An agent that observes only some namespaces, and what it has sent. */
class Side implements AsyncDisposable {
  readonly #agent: Agent;
  readonly #sink: OtlpSink;
  #from = 0;

  private constructor(agent: Agent, sink: OtlpSink) {
    this.#agent = agent;
    this.#sink = sink;
  }

  static async start(settings: string, ...namespaces: readonly Netns[]): Promise<Side> {
    const sink = await OtlpSink.start("http");
    const config = `version: 1
filter: { include: { netns: [${namespaces.map((netns) => `"${inodeOf(netns)}"`).join(", ")}] } }
control: { socket: "" }
exporters: { sink: { type: otlp_http, endpoint: "${sink.endpoint}", signals: [traces] } }
${settings}`;
    const plugins = ["tcplife", "tcpconnlat", "tcpaccept"].flatMap((name) => ["--plugin", name]);
    return new Side(await startAgent(plugins, { config }), sink);
  }

  /** The spans that arrive from now on. */
  begin(): void {
    this.#from = this.#sink.spans.length;
  }

  get spans(): readonly DecodedSpan[] {
    return this.#sink.spans.slice(this.#from);
  }

  get connections(): readonly DecodedSpan[] {
    return this.spans.filter(({ name }) => name === "tcp connection");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent[Symbol.asyncDispose]();
    await this.#sink[Symbol.asyncDispose]();
  }
}

const traceIds = (spans: readonly DecodedSpan[]): string[] => spans.map(({ traceId }) => traceId).sort();

describe("both ends", () => {
  let net: Routed;
  let direct: Pair;
  let sides: readonly [client: Side, server: Side];
  let older: Running;
  const stack = new AsyncDisposableStack();

  /** What both agents sent for `count` connections, each of which must be one trace. */
  async function meet(count: number, work: () => Promise<unknown>): Promise<readonly DecodedSpan[]> {
    for (const side of sides) side.begin();
    await work();
    await until("both ends of all", () => sides.every(({ connections }) => connections.length >= count));
    const [client, server] = sides;
    assert.equal(new Set(traceIds(client.connections)).size, count);
    assert.deepEqual(traceIds(client.connections), traceIds(server.connections));
    const all = sides.flatMap(({ spans }) => spans);
    const sent = new Set(all.map(({ traceId, spanId }) => traceId + spanId));
    assert.equal(sent.size, all.length, "no span id comes twice in a trace");
    const orphans = all.filter((s) => s.parentSpanId && !sent.has(s.traceId + s.parentSpanId));
    assert.deepEqual(orphans, []);
    return all;
  }

  const through = (name: Case, options: Options) => run(net.client, name, { ...options, server: net.server });

  before(async function () {
    needsRoot(this);
    await build();
    net = stack.use(await routed({ ipv6: true }));
    direct = stack.use(await pair());
    older = stack.use(await start(net.client, "held", { ...v4, server: net.server, later: 5, down: 7 }));
    await older.until("opened");
    sides = await Promise.all([Side.start("", net.client, direct.a), Side.start("", net.server, direct.b)]);
    for (const side of sides) stack.use(side);
  });

  after(() => stack[Symbol.asyncDispose]());

  it("of a connection that is older than both agents are one trace", async () => {
    const [client, server] = await meet(1, async () => {
      older.goOn();
      await older.done();
    });
    assert.equal(client?.attributes["wirespan.connection.start_unknown"], true);
    assert.equal(server?.attributes["wirespan.connection.start_unknown"], true);
  });

  for (const [way, ends] of Object.entries(ways)) {
    it(`of 1,000 connections are one trace each: ${way}`, async () => {
      const spans = await meet(1000, () => through("burst", { ...ends, count: 1000 }));
      assert.deepEqual(
        ["tcp connection", "tcp connect", "tcp accept"].map(
          (name) => spans.filter((span) => span.name === name).length,
        ),
        [2000, 1000, 1000],
      );
      const [opener] = spans.filter(({ attributes }) => attributes[DIRECTION] === "outbound");
      const acceptor = spans.find((s) => s.traceId === opener?.traceId && s.name === "tcp accept");
      assert.notEqual(
        opener?.attributes["network.peer.address"],
        acceptor?.attributes["network.local.address"],
      );
    });
  }

  it("of connections with Fast Open are one trace each", async () => {
    for (const netns of [net.client, net.server]) await netns.sysctl({ "net.ipv4.tcp_fastopen": 3 });
    const spans = await meet(2, () => through("fastOpen", v4));
    const fast = spans.filter((s) => s.name === "tcp connection" && s.attributes["wirespan.tcp.fastopen"]);
    assert.equal(fast.length, 2, "both ends of the second");
  });

  it("of connections by SYN cookies are one trace each", async () => {
    await net.server.sysctl({ "net.ipv4.tcp_syncookies": 2 });
    const moved = await net.server.moved(async () => {
      await meet(50, () => through("burst", { ...v4, count: 50 }));
    });
    await net.server.sysctl({ "net.ipv4.tcp_syncookies": 1 });
    assert.ok((moved["TcpExt.SyncookiesRecv"] ?? 0) >= 50);
  });

  it("of TLS connections are one trace each", async () => {
    const folder = mkdtempSync(join(tmpdir(), "wirespan-tls-"));
    try {
      const certificates = new Certificates(folder);
      certificates.authority("ca");
      certificates.leaf("server", "ca", `IP:${v4.address}`);
      const server = `const { createServer } = require("node:tls"), { readFileSync } = require("node:fs");
        const of = (file) => readFileSync(${JSON.stringify(folder)} + "/" + file);
        createServer({ key: of("server.key"), cert: of("server.pem") }, (s) => s.end("answer"))
          .listen(7443, "${v4.listen}", () => console.log("listening"));`;
      const client = `const { connect } = require("node:tls"), ca = require("node:fs").readFileSync("${folder}/ca.pem");
        const next = (left) => left && connect({ host: "${v4.address}", port: 7443, ca })
          .resume().on("close", (failed) => failed ? process.exit(1) : next(left - 1));
        next(20);`;
      const running = net.server.spawn(process.execPath, ["-e", server], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await new Promise((resolve) => running.stdout?.once("data", resolve));
      await meet(20, () => net.client.run(process.execPath, "-e", client));
      running.kill();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("of connections that both sides opened at once are one trace each", async () => {
    // Slow enough for both SYNs to be in transit at the same time.
    const slow = "qdisc add dev wire0 root tbf rate 80kbit burst 1600 latency 9s".split(" ");
    for (const netns of [direct.a, direct.b]) await netns.run("tc", ...slow);
    const stdio: StdioOptions = ["pipe", "pipe", "inherit"];
    const script = `
import socket, sys
own, peer, count = sys.argv[1:]
fill = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(7300, 7300 + int(count)):
    s = socket.socket()
    s.bind((own, port))
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(6): fill.sendto(bytes(1400), (peer, 9))
    s.connect((peer, port))
    s.sendall(b"x")
    s.shutdown(socket.SHUT_WR)
    while s.recv(9): pass
`;
    const count = 2;
    const spans = await meet(count, async () => {
      const both = [
        direct.a.spawn("python3", ["-c", script, addresses.a, addresses.b, String(count)], { stdio }),
        direct.b.spawn("python3", ["-c", script, addresses.b, addresses.a, String(count)], { stdio }),
      ];
      const codes = Promise.all(both.map(async (p) => (await once(p, "close"))[0]));
      for (let i = 0; i < count; i++) {
        await Promise.race([codes, Promise.all(both.map((p) => once(p.stdout!, "data")))]);
        for (const p of both) p.stdin?.write("go\n");
      }
      assert.deepEqual(await codes, [0, 0]);
    });
    assert.deepEqual(new Set(spans.map((s) => s.attributes[DIRECTION])), new Set(["outbound"]));
    assert.equal(spans.filter(({ name }) => name === "tcp connect").length, 2 * count);
  });

  it("have the same ids in another agent on the same host", async () => {
    const only = { "filter.include.netns": String(inodeOf(net.client)) };
    await using another: Watch = await watch(["tcplife", "tcpconnlat", "tcpaccept"], only);
    await meet(50, () => through("burst", { ...v4, count: 50 }));
    await another.until("its spans", () => another.spans.length >= 100);
    const ids = (
      spans: readonly { readonly traceId: string; readonly spanId: string; readonly name: string }[],
    ) => spans.map(({ traceId, spanId, name }) => `${traceId} ${spanId} ${name}`).sort();
    assert.deepEqual(ids(another.spans), ids(sides[0].spans));
  });

  it("keep the same traces at a ratio of 0.1, exactly those that the ids select", async () => {
    const ratio = "sampling: { ratio: 0.1 }";
    await using client = await Side.start(ratio, net.client);
    await using server = await Side.start(ratio, net.server);
    for (const ends of Object.values(ways)) {
      for (const side of [client, server]) side.begin();
      const all = await meet(1000, () => through("burst", { ...ends, count: 1000 }));
      const retransmitted = new Set(
        all.flatMap((s) => ((s.attributes["wirespan.tcp.retransmits"] as number) > 0 ? [s.traceId] : [])),
      );
      const threshold = BigInt(0.9 * 2 ** 56);
      const expected = [...new Set(traceIds(all))].filter(
        (id) => !retransmitted.has(id) && BigInt(`0x${id.slice(-14)}`) >= threshold,
      );
      const kept = (side: Side) => traceIds(side.connections).filter((id) => !retransmitted.has(id));
      await until("what is kept", () =>
        [client, server].every((side) => kept(side).length >= expected.length),
      );
      assert.deepEqual(kept(client), expected);
      assert.deepEqual(kept(server), expected);
      assert.ok(expected.length >= 50 && expected.length <= 150, `${expected.length} of 1,000`);
      const states = new Set(
        [client, server].flatMap(({ spans }) =>
          spans.filter(({ traceId }) => !retransmitted.has(traceId)).map(({ traceState }) => traceState),
        ),
      );
      assert.deepEqual(states, new Set([`ot=th:${threshold.toString(16).replace(/0+$/, "")}`]));
    }
  });
});
