// Trace contexts in HTTP/2 that is not encrypted.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type ClientHttp2Session, connect, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { watchContexts } from "../../test/support/contexts.ts";
import { needsRoot } from "../../test/support/netns.ts";

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

/** Requests of one session, so many streams at once; their traceparents. */
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

describe("trace contexts in HTTP/2", function () {
  this.timeout(60_000);
  const mine = { "filter.include.pid": String(process.pid) };

  before(function () {
    needsRoot(this);
  });

  it("are those of every request, at both ends, one after the other", async () => {
    await using w = await watchContexts([], mine);
    const asked = await exchange(250, 1, 3000);
    assert.deepEqual(w.traceparents("sent"), asked);
    assert.deepEqual(w.traceparents("received"), asked);
    assert.deepEqual(w.traceparents("answer"), asked);
  });

  it("are sent with eight streams at once, and no others; whose an answer is stays open then", async () => {
    await using w = await watchContexts([], mine);
    const asked = await exchange(248, 8, 3000);
    assert.deepEqual(new Set(w.traceparents("sent")), new Set(asked));
    const received = [...w.traceparents("received"), ...w.traceparents("answer")];
    assert.deepEqual(
      received.filter((one) => !asked.includes(one)),
      [],
    );
  });

  it("are in no body, and none without a header", async () => {
    await using w = await watchContexts([], mine);
    const server = createServer((_, response) => response.end(randomBytes(1_000_000)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    for (let i = 0; i < 3; i++) {
      const stream = session.request({ ":path": "/", ":method": "POST" });
      // The text of a block that names a context, as a client would write it.
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
});
