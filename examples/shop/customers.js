// Sends `ORDERS` requests over `CONNECTIONS` connections, and prints one line of JSON for each: its trace and how long it took.
import { once } from "node:events";
import { Agent, request } from "node:http";
import { text } from "node:stream/consumers";
import { calling, flush, traceHeaders } from "./telemetry.js";

const { SHOP, ORDERS, CONNECTIONS } = process.env;
const agent = new Agent({ keepAlive: true, maxSockets: Number(CONNECTIONS) });
let next = 0;

async function order(item) {
  const started = performance.now();
  await calling("order", { "url.full": `${SHOP}/order?item=${item}` }, async (span) => {
    const asking = request(`${SHOP}/order?item=${item}`, { agent, headers: traceHeaders() });
    asking.end();
    const [answer] = await once(asking, "response");
    await text(answer);
    const { traceId } = span.spanContext();
    console.log(JSON.stringify({ trace: traceId, status: answer.statusCode, ms: performance.now() - started }));
  });
}

async function customer() {
  while (next < Number(ORDERS)) await order(next++ % 100);
}

await Promise.all(Array.from({ length: Number(CONNECTIONS) }, customer));
agent.destroy();
await flush();
