// The shop's front: GET /order asks the stock service over HTTPS and PostgreSQL, then answers.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Agent, request } from "node:https";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import pg from "pg";
import { calling, flush, serving, traceHeaders } from "./telemetry.js";

const { PORT, STOCK, DATABASE, CA } = process.env;
const ca = readFileSync(CA);
const connections = new Agent({ ca, keepAlive: true, maxSockets: 8 });
const database = new pg.Pool({ connectionString: DATABASE, max: 4 });

async function inStock(item) {
  return await calling("GET /stock", { "url.full": `${STOCK}/stock/${item}` }, async () => {
    const asking = request(`${STOCK}/stock/${item}`, { agent: connections, headers: traceHeaders() });
    asking.end();
    const [answer] = await once(asking, "response");
    return JSON.parse(await text(answer));
  });
}

async function priceOf(item) {
  const query = { text: "SELECT price, description FROM items WHERE id = $1", values: [item] };
  return await calling("SELECT items", { "db.system.name": "postgresql", "db.query.text": query.text }, async () => {
    const { rows } = await database.query(query);
    return rows[0];
  });
}

const server = createServer((asked, answer) => {
  const item = Number(new URL(asked.url, "http://shop").searchParams.get("item"));
  serving("GET /order", asked.headers, async () => {
    const [stock, price] = await Promise.all([inStock(item), priceOf(item)]);
    answer.writeHead(200, { "content-type": "application/json" });
    answer.end(JSON.stringify({ item, ...stock, ...price }));
  }).catch((error) => {
    answer.writeHead(502).end(String(error.message));
  });
});
server.listen(Number(PORT), () => console.log("ready"));

process.once("SIGTERM", async () => {
  server.closeAllConnections();
  await database.end();
  await flush();
  process.exit();
});
