// Trace contexts in unencrypted HTTP/2.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { statSync } from "node:fs";
import { type ClientHttp2Session, connect, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { type ContextWatch, watchContexts } from "../../test/support/contexts.ts";
import { askFrames, HttpServer, linesOf } from "../../test/support/http.ts";
import { goH2c, type Range } from "../../test/support/loss.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { addresses, pair, withoutOffload } from "../../test/support/topology.ts";

const traceparent = () => `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`;

/** One request with a body of up to `body` bytes. */
async function ask(
  session: ClientHttp2Session,
  body: number,
  headers: Record<string, string>,
): Promise<void> {
  const stream = session.request({ ":path": "/a", ":method": "POST", ...headers });
  stream.end(randomBytes(Math.floor(Math.random() * body)));
  stream.resume();
  await once(stream, "close");
}

/** Requests of one session, with this many concurrent streams; returns their traceparents. */
async function exchange(count: number, streams: number, body: number): Promise<readonly string[]> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.end(randomBytes(500)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await once(session, "connect");
  const asked: string[] = [];
  const loop = async () => {
    while (asked.length < count) {
      const own = traceparent();
      asked.push(own);
      await ask(session, body, { traceparent: own, "user-agent": "test" });
    }
  };
  await Promise.all(Array.from({ length: streams }, loop));
  session.close();
  server.close();
  return asked;
}

describe("trace contexts in HTTP/2", () => {
  const mine = { "filter.include.pid": String(process.pid) };

  before(function () {
    needsRoot(this);
  });

  it("are found for every request, at both ends, one after the other", async () => {
    await using w = await watchContexts([], mine);
    const asked = await exchange(250, 1, 3000);
    assert.deepEqual(w.traceparents("sent"), asked);
    assert.deepEqual(w.traceparents("received"), asked);
    assert.deepEqual(w.traceparents("answer"), asked);
  });

  it("are found for every request, at both ends, with eight concurrent streams", async () => {
    await using w = await watchContexts([], mine);
    const asked = (await exchange(1000, 8, 3000)).toSorted();
    for (const direction of ["sent", "received", "answer"] as const)
      assert.deepEqual(w.traceparents(direction).toSorted(), asked, direction);
  });

  for (const streams of [1, 8])
    it(`are found for every request of Go's client and server, ${streams} at once`, async () => {
      await using netns = await Netns.create();
      await using w = await watchContexts([], { "filter.include.netns": String(statSync(netns.path).ino) });
      const asked = await linesOf(netns, [await goH2c(), "400", String(streams), "3000"]);
      const sorted = asked.toSorted();
      assert.equal(sorted.length, 400);
      for (const direction of ["sent", "received", "answer"] as const)
        assert.deepEqual(w.traceparents(direction).toSorted(), sorted, direction);
    });

  it("are not found in bodies, nor without a header", async () => {
    await using w = await watchContexts([], mine);
    const server = createServer((_, response) => response.end(randomBytes(1_000_000)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    for (let i = 0; i < 3; i++) {
      const stream = session.request({ ":path": "/", ":method": "POST" });
      // The text of a block that contains a context, as a client would write it.
      stream.write(`\x40\x0btraceparent\x37${traceparent()}`);
      stream.end(randomBytes(1_000_000));
      stream.resume();
      await once(stream, "close");
    }
    session.close();
    server.close();
    assert.deepEqual(w.traceparents("sent"), []);
    assert.deepEqual(w.traceparents("received"), []);
  });

  it("are found for every request if writes end anywhere in a frame's header", async () => {
    await using net = await pair();
    await using w = await watchContexts([], {
      "filter.include.netns": [net.a, net.b].map((netns) => statSync(netns.path).ino).join(","),
    });
    const chopped = { body: 60, chopped: true };
    await using server = await HttpServer.startFrames(net.b, addresses.b, chopped);
    const ranges = await askFrames(net.a, addresses.b, server.port, { count: 300, streams: 8, ...chopped });
    await server.stop();
    const asked = [...new Set(ranges.map(({ traceparent: t }) => t))].sort();
    for (const direction of ["sent", "received", "answer"] as const)
      assert.deepEqual(w.traceparents(direction).toSorted(), asked, direction);
  });

  it("report each retransmitted segment in the requests whose frames it contains, and in no others", async () => {
    await using net = await pair();
    await withoutOffload(net);
    await using w = await watchContexts(["tcpretrans"], {
      "filter.include.netns": [net.a, net.b].map((netns) => statSync(netns.path).ino).join(","),
      "plugins.tcpretrans.eventRate": "100000",
      "correlate.rate": "100000",
    });
    await using server = await HttpServer.startFrames(net.b, addresses.b, { body: 4000 });
    for (const [netns, end, every] of [
      [net.b, "dport", 23],
      [net.a, "sport", 17],
    ] as const)
      await netns.rule(
        "input",
        `tcp ${end} ${server.port} meta length > 100 numgen inc mod ${every} == 5`,
        "drop",
      );
    const asked = await askFrames(net.a, addresses.b, server.port, { count: 300, streams: 8, body: 4000 });
    const answered = await server.stop();
    for (const netns of [net.a, net.b]) await netns.settled();
    await w.seen.collect();
    const all = new Set(asked.map(({ traceparent: t }) => t));
    const received = new Set(w.traceparents("received"));
    const account = judge(w, asked, answered, server.port, received);
    const { suppressed } = w.seen.engine.correlation!.counts;
    assert.equal(account.wrong, 0);
    assert.equal(account.missed, suppressed);
    assert.ok(account.requests >= 30 && account.answers >= 30, JSON.stringify(account));
    const sent = new Set(w.traceparents("sent"));
    assert.deepEqual(sent, all);
    // A frame header that is split between segments which arrive out of order is not found.
    assert.ok(received.size >= 285, `${received.size} received`);
    assert.deepEqual(received.difference(all), new Set());
    assert.deepEqual(new Set(w.traceparents("answer")), received);
  });
});

/**
 * Retransmissions by end, context and sequence number: the requests to which they were reported, and those whose bytes
 * they contain. Responses to requests that the server's end did not see as `received` belong to none.
 */
function judge(
  w: ContextWatch,
  asked: readonly Range[],
  answered: readonly Range[],
  serverPort: number,
  received: ReadonlySet<string>,
) {
  const first = new Map(w.contexts().map((c) => [`${c.localPort}-${c.peerPort}`, c.first]));
  const account = { requests: 0, answers: 0, wrong: 0, missed: 0 };
  /** How often each is reported, minus how often it should be. */
  const left = new Map<string, number>();
  const add = (n: number, ...key: readonly unknown[]) =>
    left.set(key.join(" "), (left.get(key.join(" ")) ?? 0) + n);
  for (const { attributes } of w.seen.events) {
    const bytes = Number(attributes["wirespan.tcp.bytes"]);
    if (attributes["wirespan.tcp.retransmit.type"] === "syn" || !bytes) continue;
    const local = Number(attributes["network.local.port"]);
    const seq = Number(attributes["wirespan.tcp.sequence"]);
    const at = (seq - first.get(`${local}-${attributes["network.peer.port"]}`)!) >>> 0;
    const ranges = local === serverPort ? answered : asked;
    const whose = new Set(
      ranges
        .filter(({ from, to }) => from < at + bytes && at < to)
        .map(({ traceparent: t }) => t)
        .filter((t) => local !== serverPort || received.has(t)),
    );
    account[local === serverPort ? "answers" : "requests"] += whose.size;
    for (const traceparent of whose) add(-1, local, seq, traceparent);
  }
  for (const { name, traceId, parentSpanId, attributes } of w.seen.spans)
    if (name === "tcp retransmit")
      add(
        1,
        ...[attributes["network.local.port"], attributes["wirespan.tcp.sequence"]],
        `00-${traceId}-${parentSpanId}-01`,
      );
  for (const n of left.values()) {
    if (n > 0) account.wrong += n;
    else account.missed -= n;
  }
  return account;
}
