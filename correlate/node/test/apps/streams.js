// streams.js: two streams of one HTTP/2 connection whose bytes alternate in both directions. Prints the order in which
// the table named them: the contexts that were new at each step, per end.
import { once } from "node:events";
import http2 from "node:http2";
import { status } from "../../register.js";
import { context } from "./context.js";
import { reader } from "./table.js";

/** @type {http2.ServerHttp2Stream[]} */
const responses = [];
const server = http2.createServer();
server.on("stream", (stream) => responses.push(stream));
await once(server.listen(0, "127.0.0.1"), "listening");
const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
const session = http2.connect(`http://127.0.0.1:${port}`);
await once(session, "connect");
const names = new Map([context(), context()].map((text, i) => [text, "AB"[i] ?? ""]));
/** @type {{ client: string[], server: string[] }} */
const order = { client: [], server: [] };

function look() {
  for (const { key, contexts, ended } of reader.collect()) {
    const end = key.startsWith(`${port}>`) ? order.server : order.client;
    end.push(...contexts.map((each) => names.get(each) ?? "?"));
    if (ended) end.push("-");
  }
}

/** Does something, and waits until its bytes have arrived at the other end. @param {() => unknown} work */
async function step(work) {
  work();
  await new Promise((resolve) => session.ping(() => resolve(undefined)));
  look();
}

/** @type {http2.ClientHttp2Stream[]} */
const requests = [];
for (const traceparent of names.keys()) {
  await step(() => requests.push(session.request({ ":method": "POST", traceparent }, { endStream: false })));
}
const [a, b] = /** @type {[http2.ClientHttp2Stream, http2.ClientHttp2Stream]} */ (
  /** @type {unknown} */ (requests)
);
for (const stream of [a, b, b, a, b]) await step(() => stream.write("x"));
await step(() => session.request({ ":path": "/nobody" }).end());
await step(() => a.write("x"));
const [first, second] = /** @type {[http2.ServerHttp2Stream, http2.ServerHttp2Stream]} */ (
  /** @type {unknown} */ (responses)
);
for (const stream of [second, first])
  await step(() => stream.respond({ ":status": 200 }, { waitForTrailers: true }));
for (const stream of [first, second, first, first]) await step(() => stream.write("y"));
second.on("wantTrailers", () => second.sendTrailers({ status: "0" }));
second.resume();
await step(() => b.end());
await step(() => second.end());
await step(() => {});
console.log(
  JSON.stringify({
    client: order.client.join(""),
    server: order.server.join(""),
    failures: status().failures,
  }),
);
process.exit(0);
