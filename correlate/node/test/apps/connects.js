// connects.js: attempts to connect that are refused, each to its own address, which identifies the request that it was
// for. Prints by client what the table's header named at each connect().
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { status } from "../../register.js";
import { inSpan } from "./active.js";
import { context } from "./context.js";
import { reader } from "./table.js";

// Nothing listens on 127.77.0.0/16; fetch itself rejects well-known ports.
const PORT = 18_099;

/** @type {Map<string, string | undefined>} */
const expected = new Map();
const nothing = { attempts: 0, right: 0, wrong: 0, left: 0 };
let result = { ...nothing };

watchHandles();

/** Checks the header each time Node calls connect(), whatever caused the call. */
function watchHandles() {
  const { _handle } = /** @type {{ _handle?: object }} */ (
    /** @type {unknown} */ (net.connect(PORT, "127.0.0.1").on("error", () => {}))
  );
  const methods = /** @type {Record<string, (...args: unknown[]) => unknown>} */ (
    Object.getPrototypeOf(_handle)
  );
  for (const name of ["connect", "connect6"]) {
    const original = /** @type {(...args: unknown[]) => unknown} */ (methods[name]);
    methods[name] = function (...args) {
      const address = String(args[1]);
      if (expected.has(address)) {
        result.attempts++;
        if (reader.connecting === expected.get(address)) result.right++;
        else result.wrong++;
        setImmediate(() => {
          if (reader.connecting !== undefined) result.left++;
        });
      }
      return original.apply(this, args);
    };
  }
}

let addresses = 0;

/** @param {string | undefined} text */
function address(text) {
  addresses++;
  const host = `127.77.${addresses >> 8}.${addresses & 255}`;
  expected.set(host, text);
  return host;
}

/** @param {typeof http | typeof https} module @param {http.RequestOptions} options */
function request(module, options) {
  return new Promise((resolve) => {
    module.get({ port: PORT, ...options }).on("error", resolve);
  });
}

const limited = new http.Agent({ maxTotalSockets: 3, keepAlive: true });
const headers = (/** @type {string} */ traceparent) => ({ traceparent });

/** One attempt each, for a context. @type {Record<string, (traceparent: string) => Promise<unknown>>} */
const clients = {
  http: (text) => inSpan(text, () => request(http, { host: address(text) })),
  https: (text) => inSpan(text, () => request(https, { host: address(text) })),
  // The client's own span, which the header names, not its parent.
  "http by its header": (text) =>
    inSpan(context(), () => request(http, { host: address(text), headers: headers(text) })),
  "http without the API": (text) => request(http, { host: address(text), headers: headers(text) }),
  "http, three at a time": (text) =>
    inSpan(text, () => request(http, { host: address(text), agent: limited })),
  fetch: (text) =>
    inSpan(context(), () =>
      fetch(`http://${address(text)}:${PORT}`, { headers: headers(text) }).catch(() => {}),
    ),
  "fetch of a span": (text) => inSpan(text, () => fetch(`http://${address(text)}:${PORT}`).catch(() => {})),
  net: (text) =>
    inSpan(text, () => new Promise((resolve) => net.connect(PORT, address(text)).on("error", resolve))),
  "no span": () => request(http, { host: address(undefined) }),
};

/** @type {Record<string, typeof result>} */
const results = {};
for (const [client, attempt] of Object.entries(clients)) {
  result = { ...nothing };
  for (let i = 0; i < 100; i++) await attempt(context());
  await Promise.all(Array.from({ length: 100 }, () => attempt(context())));
  await new Promise((resolve) => setImmediate(resolve));
  results[client] = result;
}
console.log(JSON.stringify({ results, failures: status().failures }));
process.exit(0);
