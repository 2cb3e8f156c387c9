// Sends `ORDERS` orders over `CONNECTIONS` connections, and `GIFTS` and `REVIEWS` requests that the shop cannot answer; then one
// that causes a crash. Prints a line of JSON for each: its path, its trace, and how long it took.
import { once } from "node:events";
import { Agent, request } from "node:http";
import { text } from "node:stream/consumers";
import { calling, flush, traceHeaders } from "./telemetry.js";

const { SHOP, ORDERS, CONNECTIONS, GIFTS, REVIEWS } = process.env;
const agent = new Agent({ keepAlive: true, maxSockets: Number(CONNECTIONS) + Number(REVIEWS) + 1 });
let next = 0;

async function ask(path, query = "") {
  const started = performance.now();
  const url = `${SHOP}/${path}${query}`;
  await calling(path, { "url.full": url }, async (span) => {
    const asking = request(url, { agent, headers: traceHeaders() });
    asking.end();
    const [answer] = await once(asking, "response");
    await text(answer);
    const { traceId } = span.spanContext();
    const ms = performance.now() - started;
    console.log(JSON.stringify({ path, trace: traceId, status: answer.statusCode, ms }));
  });
}

async function customer() {
  while (next < Number(ORDERS)) await ask("order", `?item=${next++ % 100}`);
}

async function several(path, count) {
  for (let i = 0; i < Number(count); i++) await ask(path);
}

await Promise.all([
  ...Array.from({ length: Number(CONNECTIONS) }, customer),
  several("gift", GIFTS),
  ...Array.from({ length: Number(REVIEWS) }, () => ask("reviews")),
]);
// Over a connection that has been used before: TLS itself sends data before the answer to a connection's first request.
await ask("crash");
agent.destroy();
await flush();
