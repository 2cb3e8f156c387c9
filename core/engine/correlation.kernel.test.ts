// Trace contexts in HTTP/1.1: those of each request, at both ends, and no others.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { versions } from "../../correlate/node/test/nodes.ts";
import { watchContexts } from "../../test/support/contexts.ts";
import { ask, askFromPython, get, HttpServer, linesOf, talk, traceparent } from "../../test/support/http.ts";
import { size } from "../../test/support/long.ts";
import { goClient, type Range } from "../../test/support/loss.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { skip } from "../../test/support/skip.ts";
import { addresses, pair, withoutOffload } from "../../test/support/topology.ts";

const register = fileURLToPath(new URL("../../correlate/node/register.js", import.meta.url));

/** Undefined: this machine has no such client. */
type Asked = readonly string[] | undefined;

/** Restricts it to this process: other programs on the host have contexts, too. */
const mine = { "filter.include.pid": String(process.pid) };

const of = (...all: Netns[]) => ({
  "filter.include.netns": all.map((netns) => statSync(netns.path).ino).join(","),
});

describe("trace contexts in HTTP/1.1", () => {
  before(function () {
    needsRoot(this);
  });

  /** By client: sends requests one after the other over one connection; returns their traceparents in order. */
  const clients: Readonly<Record<string, (netns: Netns, port: number, count: number) => Promise<Asked>>> = {
    async python(netns, port, count) {
      return askFromPython(netns, "127.0.0.1", port, count);
    },
    async go(netns, port, count) {
      const client = await goClient();
      const words = [`http://127.0.0.1:${port}/`, "1", String(count)];
      const lines = await linesOf(netns, [client, ...words], { WIRESPAN_CORRELATE: "off" });
      return lines.map((line) => (JSON.parse(line) as Range).traceparent);
    },
    async curl(netns, port, count) {
      const all = Array.from({ length: count }, (_, i) => traceparent(i + 1));
      const words = all.flatMap((own, i) => [
        ...(i ? ["--next"] : []),
        ...["-s", "-H", `traceparent: ${own}`, `http://127.0.0.1:${port}/`],
      ]);
      await netns.run("curl", ...words);
      return all;
    },
    ...Object.fromEntries(
      versions.map(({ major, program }) => [
        `Node ${major}`,
        async (netns: Netns, port: number, count: number) => {
          if (!program) return undefined;
          const options = { count, body: 3000, node: [program] };
          return (await ask(netns, "127.0.0.1", port, options)).map((r) => r.traceparent);
        },
      ]),
    ),
    async "Node that labels them as well"(netns, port, count) {
      const node = [process.execPath, "--import", register];
      return (await ask(netns, "127.0.0.1", port, { count, node })).map((r) => r.traceparent);
    },
  };

  for (const [name, run] of Object.entries(clients)) {
    const count = size(100, 1000);
    it(`are found for ${count} requests, at both ends, in order, and no others: ${name}`, async function () {
      if (name === "go" && spawnSync("go", ["version"]).status !== 0) skip(this, "no go on this machine");
      await using netns = await Netns.create();
      await using w = await watchContexts([], of(netns));
      await using server = await HttpServer.start(netns, "127.0.0.1", 2000);
      const asked = await run(netns, server.port, count);
      if (!asked) skip(this, `no ${name} on this machine`);
      assert.equal(asked.length, count);
      // Compared as text: describing the difference of long lists takes minutes.
      for (const direction of ["sent", "received", "answer"] as const)
        assert.equal(String(w.traceparents(direction)), String(asked), direction);
      await w.seen.collect();
      assert.equal(w.seen.engine.correlation!.counts.contradicted, 0);
    });
  }

  it("are found wherever a segment boundary splits their line", async () => {
    await using net = await pair();
    await withoutOffload(net);
    await using w = await watchContexts([], of(net.a, net.b));
    await using server = await HttpServer.start(net.b, addresses.b);
    const asked = (await ask(net.a, addresses.b, server.port, { count: 401, cookie: 1100 })).map(
      (r) => r.traceparent,
    );
    assert.deepEqual(w.traceparents("sent"), asked);
    assert.deepEqual(w.traceparents("received"), asked);
  });

  for (const [window, found] of [
    [1024, 0],
    [4096, 30],
  ] as const) {
    it(`behind 1,200 bytes of a head are ${found ? "found" : "not found, and counted,"} in a window of ${window}`, async () => {
      await using netns = await Netns.create();
      await using w = await watchContexts([], { ...of(netns), "correlate.window": String(window) });
      await using server = await HttpServer.start(netns, "127.0.0.1");
      await ask(netns, "127.0.0.1", server.port, { count: 30, cookie: 1200 });
      await w.seen.collect();
      assert.equal(w.traceparents("sent").length, found);
      assert.equal(w.traceparents("received").length, found);
      // Both ends missed them.
      assert.equal(w.seen.engine.correlation!.counts.beyondWindow, found ? 0 : 60);
    });
  }

  it("are accepted only if valid, and only in a head", async () => {
    await using w = await watchContexts([], mine);
    const good = traceparent(1);
    const wrong = {
      "capital letters": [`traceparent: ${good.toUpperCase()}`],
      "version ff": [`traceparent: ff${good.slice(2)}`],
      "a trace id of zeros": [`traceparent: 00-${"0".repeat(32)}-${"b".repeat(16)}-01`],
      "a span id of zeros": [`traceparent: 00-${"a".repeat(32)}-${"0".repeat(16)}-01`],
      "what comes behind the digits": [`traceparent: 00-${"a".repeat(31)}:-${"b".repeat(16)}-01`],
      "what comes before the letters": [`traceparent: 00-${"a".repeat(32)}-${"b".repeat(15)}\`-01`],
      "no hexadecimal": [`traceparent: 00-${"g".repeat(32)}-${"b".repeat(16)}-01`],
      "more behind version 00": [`traceparent: ${good}-more`],
      "too short": [`traceparent: ${good.slice(0, -1)}`],
      "two of them": [`traceparent: ${good}`, `traceparent: ${traceparent(2)}`],
      "another header that ends so": [`x-traceparent: ${good}`],
      "another header that begins so": [`traceparents: ${good}`],
      "a space before the colon": [`traceparent : ${good}`],
      "in another value": [`x: traceparent: ${good}`],
    };
    for (const [what, lines] of Object.entries(wrong)) {
      await talk([get(lines)]);
      assert.deepEqual([w.traceparents("sent"), w.traceparents("received")], [[], []], what);
    }
    // In a body: of the same message, and of a separate one.
    await talk([`${get([])}\ntraceparent: ${good}\r\n\r\n`]);
    await talk([get([]), get([`traceparent: ${good}`])], { answers: 0 });
    assert.deepEqual([w.traceparents("sent"), w.traceparents("received")], [[], []], "a body");
    const right = [
      `TraceParent:${traceparent(3)}`,
      `traceparent:\t${traceparent(4)}  `,
      `traceparent: 01${traceparent(5).slice(2)}-what-comes`,
    ];
    for (const line of right) await talk([get([line])]);
    assert.deepEqual(
      w.traceparents("sent"),
      [3, 4, 5].map((i) => traceparent(i)),
    );
    assert.deepEqual(
      w.traceparents("received"),
      [3, 4, 5].map((i) => traceparent(i)),
    );
  });

  it("are found in a head that is written in pieces", async () => {
    await using w = await watchContexts([], mine);
    const head = get([`cookie: ${"c".repeat(300)}`, `traceparent: ${traceparent(7)}`, "x: y"]);
    for (let cut = 320; cut < head.length; cut += 7) {
      const before = w.traceparents("sent").length;
      await talk([head.slice(0, cut), head.slice(cut)], { answers: 0 });
      assert.equal(w.traceparents("sent").length, before + 1, `cut at ${cut}`);
    }
  });

  it("are found in a head that is written in pieces of five bytes, and behind a body that begins like a record of TLS", async () => {
    await using w = await watchContexts([], mine);
    const pieces = (i: number) => get([`traceparent: ${traceparent(i)}`, "x: y"]).match(/.{1,5}/gs)!;
    await talk(pieces(1), { answers: 0 });
    const asked = [2, 3].map((i) => get([`traceparent: ${traceparent(i)}`]));
    await talk([asked[0]!, "\x16\x03\x03 is no record of TLS", asked[1]!], { answers: 3 });
    const all = [1, 2, 3].map((i) => traceparent(i));
    assert.deepEqual([w.traceparents("sent"), w.traceparents("received")], [all, all]);
  });

  it("of the previous request are not used for a request or response without one, or with an unknown method", async () => {
    await using w = await watchContexts([], mine);
    const other = get([`traceparent: ${traceparent(9)}`]).replace("GET", "PROPFIND");
    for (const unlabelled of [get([]), other])
      await talk([
        get([`traceparent: ${traceparent(1)}`]),
        unlabelled,
        get([`traceparent: ${traceparent(2)}`]),
      ]);
    const of = (direction: string) =>
      w
        .contexts()
        .filter((c) => c.direction === direction)
        .map((c) => c.traceparent);
    const all = [traceparent(1), undefined, traceparent(2)];
    assert.deepEqual(of("sent"), [...all, ...all]);
    assert.deepEqual(of("answer"), [...all, ...all]);
  });

  it("of the previous request are not used for what was sent while none were read", async () => {
    await using w = await watchContexts([], mine);
    const server = createServer((socket) => {
      socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const offsets: number[] = [];
    // Contexts are reported with the next message after the programs were replaced.
    for (const i of [1, 2, 3, 4]) {
      const enabled = String(i !== 2);
      await w.seen.reload({ "self.exclude": "false", ...mine, "correlate.enabled": enabled });
      await w.seen.engine.correlated();
      offsets.push(client.bytesWritten);
      client.write(get([`traceparent: ${traceparent(i)}`]));
      await once(client, "data");
    }
    client.destroy();
    server.close();
    const all = [traceparent(1), undefined, traceparent(3)];
    const of = (one: string) =>
      w
        .contexts()
        .filter(({ direction }) => direction === one)
        .slice(0, 3);
    assert.deepEqual(
      of("sent").map((c) => [c.traceparent, c.offset]),
      all.map((traceparent, i) => [traceparent, offsets[i]]),
    );
    assert.deepEqual(
      of("answer").map((c) => c.traceparent),
      all,
    );
    await w.seen.collect();
    assert.equal(w.seen.engine.correlation!.unread.unseen, 2);
  });

  it("are read according to a reloaded configuration, and connections are sampled accordingly", async () => {
    await using w = await watchContexts(["tcplife"], mine);
    const own = () => w.seen.spans.filter(({ name }) => name === "tcp connection").length;
    /** This many heads were read, and spans sent, after one more request. */
    const gives = async (
      settings: Readonly<Record<string, string>>,
      heads: number | undefined,
      spans: number,
    ) => {
      await w.seen.reload({ "self.exclude": "false", ...mine, ...settings });
      await talk([get([`traceparent: ${traceparent(1)}`])]);
      await w.seen.until("spans of both ends", () => own() >= spans);
      await w.seen.collect();
      assert.deepEqual([w.seen.engine.correlation?.counts.headersSent, own()], [heads, spans]);
    };
    const on = { "correlate.enabled": "true" };
    await gives(on, 1, 2);
    await gives({ ...on, "correlate.http1": "false" }, 1, 4);
    await gives(on, 2, 6);
    await gives({ "correlate.enabled": "false" }, undefined, 8);
    await gives({ ...on, "sampling.ratio": "0", "correlate.http1": "false" }, 2, 8);
    await gives(on, 3, 10);
  });
});
