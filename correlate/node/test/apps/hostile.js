// hostile.js: an application that passes all kinds of invalid values; it must work as it does without the package. Prints the results.

import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { PassThrough } from "node:stream";
import { context as api } from "@opentelemetry/api";
import { setContext, status } from "../../register.js";
import { context } from "./context.js";
import { reader } from "./table.js";

const good = context();
const server = http.createServer((_, response) => response.end("ok"));
await once(server.listen(0, "127.0.0.1"), "listening");
const { port } = /** @type {net.AddressInfo} */ (server.address());

/** A connection that is still open when the table is read. */
function kept() {
  return new http.Agent({ keepAlive: true });
}

/** @param {http.RequestOptions} options */
async function works(options = {}) {
  return new Promise((resolve) => {
    const request = http.get({ host: "127.0.0.1", port, ...options }, (response) => {
      response.resume().on("end", () => resolve(true));
    });
    request.on("error", () => resolve(false));
  });
}

const odd = [
  "",
  "00",
  good.slice(0, 54),
  `${good}0`,
  `${good}-more`,
  good.toUpperCase(),
  good.replace(/^00/, "ff"),
  good.replace(/-/g, "_"),
  `00-${"0".repeat(32)}-${good.slice(36)}`,
  `${good.slice(0, 36)}${"0".repeat(16)}-01`,
  `00-${"z".repeat(32)}-${good.slice(36)}`,
  "x".repeat(10_000),
];
const headers = await Promise.all(
  odd.map((traceparent) => works({ headers: { traceparent }, agent: kept() })),
);
const labels = reader.collect().flatMap(({ contexts }) => contexts);

// Spans, a context manager and sockets that throw.
const thrown = {
  active() {
    throw new Error("no context today");
  },
  disable() {},
};
api.setGlobalContextManager(
  /** @type {Parameters<typeof api.setGlobalContextManager>[0]} */ (/** @type {unknown} */ (thrown)),
);
const manager = await works({ agent: kept() });
api.disable();
const span = Symbol.for("OpenTelemetry Context Key SPAN");
const values = new Map([[span, { spanContext: () => ({ traceId: {}, spanId: 7, traceFlags: "x" }) }]]);
const strange = {
  disable() {},
  active: () => ({ getValue: (/** @type {symbol} */ key) => values.get(key) }),
};
api.setGlobalContextManager(
  /** @type {Parameters<typeof api.setGlobalContextManager>[0]} */ (/** @type {unknown} */ (strange)),
);
const spans = await works({ agent: kept() });
api.disable();

const request = http.request({ host: "127.0.0.1", port, agent: kept() });
request.getHeader = () => {
  throw new Error("no headers today");
};
request.end();
const [response] = await once(request, "response");
response.resume();

const dead = net.connect(port, "127.0.0.1");
await once(dead, "connect");
dead.destroy();
const stranger = /** @type {net.Socket} */ (/** @type {unknown} */ (new PassThrough()));
for (const socket of [
  dead,
  stranger,
  /** @type {net.Socket} */ ({}),
  /** @type {net.Socket} */ (/** @type {unknown} */ (null)),
]) {
  for (const given of [
    null,
    undefined,
    7,
    {},
    { traceId: "x".repeat(32), spanId: "y".repeat(16), traceFlags: 1 },
  ]) {
    setContext(socket, /** @type {null} */ (given));
  }
}

// A session that is destroyed before its first stream, and one over a stream that is not a socket.
const session = http2.connect(`http://127.0.0.1:${port}`).on("error", () => {});
session.request({ traceparent: good }).on("error", () => {});
session.destroy();
const unreal = http2.connect("http://x", { createConnection: () => new PassThrough() }).on("error", () => {});
unreal.request({ traceparent: good }).on("error", () => {});
unreal.destroy();
await new Promise((resolve) => setTimeout(resolve, 20));

reader.collect();
const still = await works({ headers: { traceparent: good }, agent: kept() });
const last = reader.collect().flatMap(({ contexts }) => contexts);
console.log(
  JSON.stringify({
    headers: headers.every(Boolean),
    labels: labels.length,
    manager,
    spans,
    still,
    last: last.length === 2 && last.every((each) => each === good),
    noticed: status().failures > 0,
  }),
);
process.exit(0);
