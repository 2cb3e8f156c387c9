// Trace contexts of HTTP/1.1 requests that are sent without waiting for responses, several in one message.
import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { type ContextWatch, type KeptContext, watchContexts } from "../../test/support/contexts.ts";
import { get, talk, traceparent } from "../../test/support/http.ts";
import { judge, type Range, tap, witness } from "../../test/support/loss.ts";
import { type Netns, needsRoot } from "../../test/support/netns.ts";
import { addresses, pair, withoutOffload } from "../../test/support/topology.ts";

/** Of this process only: other programs on the host have contexts, too. */
const mine = { "filter.include.pid": String(process.pid) };

const labelled = (i: number, ...more: readonly string[]) => get([...more, `traceparent: ${traceparent(i)}`]);
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

/** What one end has sent, as offsets and contexts. */
const sent = (w: ContextWatch, direction: KeptContext["direction"] = "sent") =>
  w
    .contexts()
    .filter((c) => c.direction === direction)
    .map((c) => [c.offset, c.traceparent]);

/** Contexts, and what was not read, of everything so far. */
async function counted(w: ContextWatch) {
  await w.seen.collect();
  const { headersSent, headersReceived, ambiguous, beyondWindow } = w.seen.engine.correlation!.counts;
  return { headersSent, headersReceived, ambiguous, beyondWindow };
}

describe("trace contexts of pipelined requests", () => {
  before(function () {
    needsRoot(this);
  });

  for (const count of [2, 9, 30])
    it(`are found for each of ${count} in a message, and only counted where the responses cannot be assigned`, async () => {
      await using w = await watchContexts([], mine);
      const all = upTo(count).map((i) => labelled(i));
      const length = all.join("").length;
      await talk([all.join(""), labelled(count + 1)]);
      // Its own messages must be shown, and so its contexts kept, before the next one is.
      const offsets = all.map((_, i) => all.slice(0, i).join("").length);
      const contexts = all.map((_, i) => [offsets[i], traceparent(i + 1)]);
      const kept = sent(w).slice(-8);
      assert.deepEqual(
        kept,
        [...contexts, [length, undefined], [length, traceparent(count + 1)]].slice(-kept.length),
      );
      assert.deepEqual(
        sent(w, "answer").filter(([, context]) => context),
        [],
      );
      assert.deepEqual(await counted(w), {
        headersSent: count + 1,
        headersReceived: 1,
        // The second and later of the message, and the one after it.
        ambiguous: count,
        beyondWindow: 0,
      });
    });

  it("are distinguished from the content of bodies, whose length the head names", async () => {
    await using w = await watchContexts([], mine);
    const body = `GET / HTTP/1.1\r\n\r\n${labelled(9)}`;
    const asked = [
      labelled(1, `Content-Length: ${body.length}`).replace("GET", "POST") + body,
      get([]),
      labelled(2, `content-length:${body.length}`).replace("GET", "PUT") + body,
      labelled(3, "content-length: 0").replace("GET", "POST"),
    ];
    await talk([asked.join("")]);
    const offsets = asked.map((_, i) => asked.slice(0, i).join("").length);
    assert.deepEqual(sent(w), [
      [offsets[0], traceparent(1)],
      [offsets[1], undefined],
      [offsets[2], traceparent(2)],
      [offsets[3], traceparent(3)],
      [asked.join("").length, undefined],
    ]);
    assert.deepEqual(await counted(w), {
      headersSent: 3,
      headersReceived: 1,
      ambiguous: 3,
      beyondWindow: 0,
    });
  });

  it("are distinguished from the content of chunked bodies, and counted if what is behind one is not found", async () => {
    await using w = await watchContexts([], mine);
    const content = `GET / HTTP/1.1\r\n\r\n${labelled(9)}`;
    const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
    const last = "0\r\n\r\n";
    const asked = [
      labelled(1, "Transfer-Encoding: chunked").replace("GET", "POST") + chunk(content) + chunk("x") + last,
      labelled(2, "transfer-encoding:chunked", "content-length: 3").replace("GET", "PUT") + last,
      get([]),
      // Its extension is not understood.
      labelled(3, "transfer-encoding: chunked").replace("GET", "POST") + `1;a=b\r\nx\r\n${last}`,
    ];
    await talk([asked.join("")]);
    const offsets = asked.map((_, i) => asked.slice(0, i).join("").length);
    assert.deepEqual(sent(w), [
      [offsets[0], traceparent(1)],
      [offsets[1], traceparent(2)],
      [offsets[2], undefined],
      [offsets[3], traceparent(3)],
      [asked.join("").length, undefined],
    ]);
    assert.deepEqual(await counted(w), {
      headersSent: 3,
      headersReceived: 1,
      // Three requests behind the first, and the extension at both ends.
      ambiguous: 5,
      beyondWindow: 0,
    });
  });

  it("are found in a head that continues in the next message, and behind it", async () => {
    await using w = await watchContexts([], mine);
    const all = upTo(6).map((i) => labelled(i));
    const stream = all.join("");
    // Before the third one's traceparent.
    const cut = all[0]!.length * 2 + 20;
    await talk([stream.slice(0, cut), stream.slice(cut)], { answers: 0 });
    const offsets = all.map((_, i) => (i === 2 ? cut : all.slice(0, i).join("").length));
    assert.deepEqual(
      sent(w).filter(([, context]) => context),
      upTo(6).map((i) => [offsets[i - 1], traceparent(i)]),
    );
    assert.deepEqual(await counted(w), {
      headersSent: 6,
      headersReceived: 1,
      ambiguous: 5,
      beyondWindow: 0,
    });
  });

  it("are not given to the response to an earlier request if another one arrives before it", async () => {
    await using w = await watchContexts([], mine);
    const server = createServer({ noDelay: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const client = connect({
      port: (server.address() as AddressInfo).port,
      host: "127.0.0.1",
      noDelay: true,
    });
    const [accepted] = (await once(server, "connection")) as [Socket];
    const goes = async (from: Socket, to: Socket, message: string) => {
      const comes = once(to, "data");
      from.write(message);
      await comes;
    };
    await goes(client, accepted, labelled(1));
    await goes(client, accepted, labelled(2));
    await goes(accepted, client, "HTTP/1.1 200 OK\r\nx: 1\r\ncontent-length: 0\r\n\r\n");
    await goes(client, accepted, labelled(3));
    await goes(accepted, client, "HTTP/1.1 200 OK\r\nx: 2\r\ncontent-length: 0\r\n\r\n");
    for (const socket of [client, accepted]) socket.destroy();
    server.close();
    assert.deepEqual(
      sent(w).map(([, context]) => context),
      [traceparent(1), undefined, traceparent(3)],
    );
    assert.deepEqual(
      sent(w, "answer").filter(([, context]) => context),
      [],
    );
    // The second one at both ends, the third where it was received.
    assert.deepEqual(await counted(w), {
      headersSent: 2,
      headersReceived: 1,
      ambiguous: 3,
      beyondWindow: 0,
    });
  });

  it("are not taken from those in the window for those behind it", async () => {
    await using w = await watchContexts([], { ...mine, "correlate.window": "1024" });
    const all = upTo(30).map((i) => labelled(i));
    const found = Math.floor((1024 - 55) / all[0]!.length);
    await talk([all.join("")]);
    const { headersSent, headersReceived, ambiguous, beyondWindow } = await counted(w);
    assert.ok(headersSent === found || headersSent === found + 1, `${headersSent} of ${found}`);
    assert.deepEqual([headersReceived, ambiguous, beyondWindow], [1, Math.floor(1024 / all[0]!.length), 2]);
    const [last] = sent(w).slice(-1);
    assert.equal(last?.[1], undefined);
  });

  it("are those of the segments that are retransmitted", async () => {
    await using net = await pair();
    await withoutOffload(net);
    const inode = (netns: Netns) => statSync(netns.path).ino;
    await using w = await watchContexts(["tcpretrans"], {
      "filter.include.netns": [net.a, net.b].map(inode).join(","),
      "correlate.rate": "100000",
    });
    const serves = `const { createServer } = require("net");
      let bytes = 0;
      createServer((s) => s.on("data", (data) => {
        for (bytes += data.length; bytes >= 6 * 600; bytes -= 6 * 600) s.write("x");
      })).listen(7500, () => console.log());`;
    const server = net.b.spawn(process.execPath, ["-e", serves], { stdio: ["ignore", "pipe", "inherit"] });
    await once(server.stdout!, "data");
    const witnessed = await witness();
    const wire = await tap(net.a);
    await net.b.rule("input", "tcp dport 7500 meta length > 100 numgen inc mod 7 == 3", "drop");
    // 60 messages of 6 requests of 600 bytes each; each message is acknowledged before the next.
    const asks = `const { connect } = require("net"); const { randomBytes } = require("crypto");
      let [at, messages] = [0, 60];
      const socket = connect(7500, "${addresses.b}", next).on("data", next);
      function next() {
        if (!messages--) return socket.destroy();
        let message = "";
        for (let i = 0; i < 6; i++) {
          const traceparent = "00-" + randomBytes(16).toString("hex") + "-" + randomBytes(8).toString("hex") + "-01";
          const one = "GET / HTTP/1.1\\r\\ntraceparent: " + traceparent + "\\r\\ncookie: " + "c".repeat(502) + "\\r\\n\\r\\n";
          const range = { side: "client", service: 7500, port: socket.localPort, traceparent };
          console.log(JSON.stringify({ ...range, from: at, to: at += one.length }));
          message += one;
        }
        setTimeout(() => socket.write(message), 50);
      }`;
    const client = net.a.spawn(process.execPath, ["-e", asks], { stdio: ["ignore", "pipe", "inherit"] });
    const lines: string[] = [];
    for await (const line of createInterface({ input: client.stdout! })) lines.push(line);
    server.kill();
    await net.a.settled();
    const again = await wire.stop();
    w.seen.engine.drain();
    await w.seen.collect();
    // A segment may contain bytes of several requests: it is reported in the trace of the one at its beginning.
    const firsts = again.map((segment) => ({ ...segment, bytes: Math.min(segment.bytes, 1) }));
    const ranges = lines.map((line) => JSON.parse(line) as Range);
    assert.equal(ranges.length, 360);
    const reported = w.seen.spans.filter(({ name }) => name === "tcp retransmit");
    const { exact, wrong, missing, unranged } = judge(firsts, ranges, reported, witnessed.stop());
    assert.deepEqual([wrong, missing, unranged], [[], [], []]);
    assert.ok(exact >= 15, `${exact} retransmissions`);
  });
});
