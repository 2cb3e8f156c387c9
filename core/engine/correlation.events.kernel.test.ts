// Events of a request's connection and bytes, in the request's trace.
import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { heldPrograms } from "../../test/support/bpf-programs.ts";
import { type ContextWatch, watchContexts } from "../../test/support/contexts.ts";
import { watch } from "../../test/support/engine.ts";
import { ask, get, HttpServer, talk, traceparent } from "../../test/support/http.ts";
import { size } from "../../test/support/long.ts";
import { type Account, judge, lossFolder, type Range, tap, witness } from "../../test/support/loss.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { addresses, pair, withoutOffload } from "../../test/support/topology.ts";

/** Restricts it to this process: other programs on the host have contexts, too. */
const mine = { "filter.include.pid": String(process.pid) };

const inode = (netns: Netns): number => statSync(netns.path).ino;

const inTraces = (w: ContextWatch) => w.seen.spans.filter(({ name }) => name === "tcp retransmit");

describe("a network event of a request", () => {
  before(function () {
    needsRoot(this);
  });

  it("is reported in its trace: each retransmission in the request or response whose bytes it contains", async () => {
    await using net = await pair();
    await withoutOffload(net);
    await using w = await watchContexts(["tcpretrans"], {
      "filter.include.netns": [net.a, net.b].map(inode).join(","),
      "plugins.tcpretrans.eventRate": "100000",
      "correlate.rate": "100000",
    });
    await using server = await HttpServer.start(net.b, addresses.b, 20_000);
    const witnessed = await witness();
    const taps = await Promise.all([net.a, net.b].map(tap));
    let asked: readonly Range[] = [];
    let answered: readonly Range[] = [];
    let moved: Readonly<Record<string, number>> = {};
    const theirs = await net.a.moved(async () => {
      moved = await net.b.moved(async () => {
        await net.b.rule(
          "input",
          `tcp dport ${server.port} meta length > 100 numgen inc mod 23 == 5`,
          "drop",
        );
        await net.a.rule(
          "input",
          `tcp sport ${server.port} meta length > 100 numgen inc mod 37 == 5`,
          "drop",
        );
        asked = await ask(net.a, addresses.b, server.port, { count: size(150, 600), body: 4000 });
        answered = await server.stop();
        for (const netns of [net.a, net.b]) await netns.settled();
      });
    });
    const segments = (theirs["Tcp.RetransSegs"] ?? 0) + (moved["Tcp.RetransSegs"] ?? 0);
    const again = (await Promise.all(taps.map((one) => one.stop()))).flat();
    const shown = witnessed.stop();
    w.seen.engine.drain();
    await w.seen.collect();
    assert.equal(again.length, segments, "the taps have seen all");
    const reported = w.seen.events.filter(({ name }) => name === "wirespan.tcp.retransmit");
    const sum = reported.reduce((n, { attributes }) => n + Number(attributes["wirespan.tcp.segments"]), 0);
    const account = judge(again, [...asked, ...answered], inTraces(w), shown);
    assert.ok(sum <= segments && sum >= segments - account.unshown, `${sum} of ${segments}`);
    const seenOf = (side: Range["side"]) => account.seen.get(`${side} ${server.port}`)?.size ?? 0;
    const [requests, answers] = [seenOf("client"), seenOf("server")];
    assert.ok(
      requests >= 5 && answers >= 10,
      `${requests} requests and ${answers} answers were retransmitted`,
    );
    assert.deepEqual([account.wrong, account.unranged, account.unseen], [[], [], []]);
    assert.equal(account.missing.length, w.seen.engine.correlation!.counts.suppressed);
  });

  const messages = size(300, 2000);
  /**
   * The retransmissions of messages over one connection, and how many of these events had lost their context.
   * `hold`: nothing arrives before all are written.
   */
  async function stream({ hold }: { readonly hold: boolean }): Promise<Account & { replaced: number }> {
    await using net = await pair();
    await withoutOffload(net);
    if (hold) await net.a.sysctl({ "net.ipv4.tcp_wmem": "4096 8388608 8388608" });
    await using w = await watchContexts(["tcpretrans"], {
      "filter.include.netns": [net.a, net.b].map(inode).join(","),
      "correlate.rate": "100000",
    });
    const reads =
      "const { createServer } = require('net'); createServer((s) => s.resume()).listen(7500, () => console.log());";
    const server = net.b.spawn(process.execPath, ["-e", reads], { stdio: ["ignore", "pipe", "inherit"] });
    await once(server.stdout!, "data");
    const witnessed = await witness();
    const wire = await tap(net.a);
    const data = "tcp dport 7500 meta length > 100";
    await net.b.rule("input", `${data} numgen inc mod 13 == 5`, "drop");
    const held = hold ? await net.b.rule("input", data, "drop") : undefined;
    const client = net.a.spawn(
      "python3",
      ["-B", `${lossFolder}stream.py`, addresses.b, "7500", `${messages}`],
      {
        env: { ...process.env, PYTHONPATH: join(lossFolder, "../../correlate/python") },
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const lines: string[] = [];
    for await (const line of createInterface({ input: client.stdout! }))
      if (lines.push(line) === messages) await held?.remove();
    await net.a.settled();
    const again = await wire.stop();
    const shown = witnessed.stop();
    w.seen.engine.drain();
    await w.seen.collect();
    const ranges = lines.map((line) => JSON.parse(line) as Range);
    // A segment may contain bytes of several messages: it is reported in the trace of the one at its beginning.
    const firsts = again.map((segment) => ({ ...segment, bytes: Math.min(segment.bytes, 1) }));
    const account = judge(firsts, ranges, inTraces(w), shown);
    const { suppressed, replaced } = w.seen.engine.correlation!.counts;
    assert.deepEqual([account.wrong, account.unranged], [[], []]);
    assert.ok(again.length >= messages / 20, `${again.length} retransmissions`);
    assert.equal(account.missing.length, suppressed + replaced);
    return { ...account, replaced };
  }

  it(`is reported in the right one of ${messages} traces whose bytes are in flight at once`, async () => {
    const { exact, replaced } = await stream({ hold: false });
    assert.ok(exact >= messages / 20, `${exact} retransmissions`);
    assert.equal(replaced, 0);
  });

  it("is counted if too many later messages were sent before its own was acknowledged", async () => {
    const { exact, replaced, missing } = await stream({ hold: true });
    assert.ok(exact > 0, "none found");
    assert.ok(replaced >= messages / 40, `${replaced} of ${exact + missing.length}`);
  });

  it("has the same ids in two agents on one host", async () => {
    await using net = await pair();
    await withoutOffload(net);
    const settings = { "filter.include.netns": [net.a, net.b].map(inode).join(",") };
    await using one = await watchContexts(["tcplife", "tcpretrans"], settings);
    await using other = await watchContexts(["tcplife", "tcpretrans"], settings);
    await using server = await HttpServer.start(net.b, addresses.b, 20_000);
    await net.b.rule("input", `tcp dport ${server.port} meta length > 100 numgen inc mod 11 == 5`, "drop");
    await ask(net.a, addresses.b, server.port, { count: 30, body: 4000 });
    await server.stop();
    const reported = ({ seen }: ContextWatch) =>
      seen.spans
        .filter(({ attributes }) => attributes["wirespan.context.source"])
        .map(({ name, traceId, spanId, parentSpanId }) => [name, traceId, spanId, parentSpanId].join(" "))
        .sort();
    const ends = ({ seen }: ContextWatch) =>
      seen.spans.filter(({ name }) => name === "tcp connection").length;
    for (const each of [one, other]) await each.seen.until("both ends", () => ends(each) >= 2);
    const names = new Set(reported(one).map((line) => line.slice(0, line.indexOf(" ", 4))));
    assert.deepEqual(names, new Set(["tcp connect", "tcp retransmit"]));
    assert.deepEqual(reported(one), reported(other));
    assert.equal(new Set(reported(one)).size, reported(one).length);
  });

  it("is reported eight times in one trace, and only counted from then on", async () => {
    await using net = await pair();
    await using w = await watchContexts(["tcpretrans"], {
      "filter.include.netns": [net.a, net.b].map(inode).join(","),
      "plugins.tcpretrans.eventRate": "100000",
    });
    await using server = await HttpServer.start(net.b, addresses.b);
    await withoutOffload(net);
    // Of the 60 segments of one request every third is lost in transit, but no retransmission is.
    await net.b.rule("input", `tcp dport ${server.port} meta length > 1000 numgen inc mod 3 == 1`, "drop");
    const [asked] = await ask(net.a, addresses.b, server.port, { count: 1, body: 90_000, exact: true });
    const reported = () => w.seen.spans.filter(({ name }) => name === "tcp retransmit");
    const events = () => w.seen.events.filter(({ name }) => name === "wirespan.tcp.retransmit");
    await w.seen.until("more than eight retransmissions", () => reported().length >= 8);
    await w.seen.collect();
    assert.ok(events().length > 8, `${events().length} retransmissions`);
    assert.equal(reported().length, 8);
    assert.equal(w.seen.engine.correlation!.counts.suppressed, events().length - 8);
    for (const { traceId, parentSpanId } of reported())
      assert.equal(`00-${traceId}-${parentSpanId}-01`, asked!.traceparent);
    assert.deepEqual(
      reported().map(({ attributes }) => attributes["wirespan.event.more"]),
      [...new Array<undefined>(7).fill(undefined), true],
    );
    assert.equal(new Set(reported().map(({ spanId }) => spanId)).size, 8);
  });

  it("is not reported in a trace that the application does not sample", async () => {
    await using net = await pair();
    await using w = await watchContexts(["tcplife", "tcpretrans"], {
      "filter.include.netns": [net.a, net.b].map(inode).join(","),
    });
    await using server = await HttpServer.start(net.b, addresses.b);
    await withoutOffload(net);
    await net.b.rule("input", `tcp dport ${server.port} meta length > 1000 numgen inc mod 3 == 1`, "drop");
    await ask(net.a, addresses.b, server.port, { count: 1, body: 30_000, exact: true, flags: "00" });
    await server.stop();
    const own = () => w.seen.spans.filter(({ name }) => name === "tcp connection");
    await w.seen.until("both ends", () => own().length >= 2);
    assert.ok(w.seen.events.some(({ name }) => name === "wirespan.tcp.retransmit"));
    assert.equal(w.traceparents("sent").length, 1);
    assert.deepEqual(
      w.seen.spans.filter((span) => span.attributes["wirespan.context.source"]),
      [],
    );
    assert.deepEqual(
      own().flatMap(({ links }) => links),
      [],
    );
  });
});

describe("the start and end of a connection", () => {
  before(function () {
    needsRoot(this);
  });

  const inTrace = (w: ContextWatch) => w.seen.spans.filter((s) => s.attributes["wirespan.context.source"]);

  it("are reported in the trace of the request that opened it, linked to the connection's own trace", async () => {
    await using netns = await Netns.create();
    await using w = await watchContexts(["tcplife", "tcpaccept"], {
      "filter.include.netns": String(inode(netns)),
    });
    await using server = await HttpServer.start(netns, "127.0.0.1");
    const asked = await ask(netns, "127.0.0.1", server.port, { count: 12 });
    await server.stop();
    const own = () => w.seen.spans.filter(({ name }) => name === "tcp connection");
    await w.seen.until("both ends", () => own().length >= 2);
    const first = asked[0]!.traceparent;
    assert.deepEqual(
      inTrace(w)
        .map((s) => [s.name, `00-${s.traceId}-${s.parentSpanId}-01`])
        .sort(),
      [
        ["tcp accept", first],
        ["tcp connect", first],
      ],
    );
    const ends = { outbound: "tcp connect", inbound: "tcp accept" };
    for (const connection of own()) {
      const name = ends[connection.attributes["wirespan.connection.direction"] as keyof typeof ends];
      const span = inTrace(w).find((s) => s.name === name)!;
      assert.deepEqual(span.links, [`${connection.traceId}-${connection.spanId}`]);
      // The last eight requests.
      assert.deepEqual(
        connection.links,
        asked.slice(-8).map(({ traceparent: t }) => t.slice(3, -3)),
      );
    }
    for (const { name, attributes } of inTrace(w))
      if (name === "tcp accept") assert.ok(Number(attributes["wirespan.tcp.accept.queue_wait"]) >= 0);
  });

  it("are not reported in a trace if the first request came later", async () => {
    await using w = await watchContexts(["tcplife"], { ...mine, "correlate.connectGap": "50ms" });
    await talk([get([`traceparent: ${traceparent(1)}`])], { pause: 200 });
    const own = () => w.seen.spans.filter(({ name, links }) => name === "tcp connection" && links.length > 0);
    await w.seen.until("both ends", () => own().length >= 2);
    assert.deepEqual(inTrace(w), []);
  });

  it("are reported for a reset with an unanswered request, and not without one", async () => {
    await using w = await watchContexts(["tcplife"], { ...mine, "correlate.connectGap": "0" });
    const head = get([`traceparent: ${traceparent(1)}`]);
    await talk([head], { reset: true });
    const own = () => w.seen.spans.filter(({ name, links }) => name === "tcp connection" && links.length > 0);
    await w.seen.until("both ends", () => own().length >= 2);
    assert.deepEqual(inTrace(w), [], "an idle connection");
    await talk([head], { reset: true, answers: 0 });
    await w.seen.until("both ends", () => own().length >= 4);
    assert.deepEqual(
      inTrace(w).map((s) => [s.name, `00-${s.traceId}-${s.parentSpanId}-01`, s.error]),
      new Array(2).fill(["tcp reset", traceparent(1), "connection_reset"]),
    );
    assert.equal(new Set(inTrace(w).map(({ spanId }) => spanId)).size, 2);
  });

  it("need no additional programs if contexts are not read", async () => {
    const held = async (enabled: boolean): Promise<number> => {
      await using seen = await watch(["tcplife"], { "correlate.enabled": String(enabled) });
      const { correlation } = await seen.engine.correlated();
      assert.equal(correlation !== undefined, enabled);
      return heldPrograms(process.pid).length;
    };
    const without = await held(false);
    // Sent, received, and opened.
    assert.ok((await held(true)) >= without + 3);
  });
});
