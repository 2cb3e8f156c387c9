// raw.js, with WIRESPAN_CORRELATE_WRITES=1: an unknown protocol, and HTTP, for which the package knows more than the
// active span. Prints what the table said at each send.
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { setContext, status } from "../../register.js";
import { inSpan } from "./active.js";
import { context } from "./context.js";
import { tally, watchSends } from "./sends.js";

watchSends();
/** @param {string} traceparent */
const keyOf = (traceparent) => `k${traceparent.slice(36, 52)}`;

const server = net.createServer((socket) => socket.on("data", () => socket.write("ok")));
await once(server.listen(0, "127.0.0.1"), "listening");
const socket = net.connect(/** @type {net.AddressInfo} */ (server.address()).port, "127.0.0.1");
await once(socket, "connect");

/** @param {string} text */
async function exchange(text) {
  socket.write(text);
  await once(socket, "data");
}

for (let i = 0; i < 100; i++) {
  const traceparent = context();
  await inSpan(traceparent, () => exchange(`hello ${keyOf(traceparent)}`));
}
const raw = tally();
await exchange("nobody's");
const nobody = tally();

const traceparent = context();
const [, traceId = "", spanId = ""] = traceparent.split("-");
setContext(socket, { traceId, spanId, traceFlags: 1 });
const own = context();
await inSpan(own, () => exchange(`said, not guessed: ${keyOf(traceparent)}`));
const said = tally();

const web = http.createServer((_, response) => response.end("ok"));
await once(web.listen(0, "127.0.0.1"), "listening");
const { port } = /** @type {net.AddressInfo} */ (web.address());
for (let i = 0; i < 10; i++) {
  const header = context();
  await inSpan(context(), async () => {
    const headers = { traceparent: header, key: keyOf(header) };
    const [response] = await once(http.get({ host: "127.0.0.1", port, agent: false, headers }), "response");
    response.resume();
    await once(response, "end");
  });
}
console.log(JSON.stringify({ raw, nobody, said, http: tally(), failures: status().failures }));
process.exit(0);
