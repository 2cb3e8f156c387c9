// The shop's front end: GET /order queries the stock service over HTTPS, and PostgreSQL, then answers. GET /gift, /reviews and /crash
// fail: they call a service that does not run, one behind a closed firewall, and one that crashes.
import { readFileSync } from "node:fs";
import { createServer, get } from "node:http";
import { Agent, request } from "node:https";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import pg from "pg";
import { calling, flush, serving, traceHeaders } from "./telemetry.js";

const { PORT, STOCK, DATABASE, CA, GIFT, REVIEWS } = process.env;
const ca = readFileSync(CA);
const connections = new Agent({ ca, keepAlive: true, maxSockets: 8 });
const database = new pg.Pool({ connectionString: DATABASE, max: 4 });

async function inStock(what) {
  return await calling("GET /stock", { "url.full": `${STOCK}/stock/${what}` }, async () => {
    const asking = request(`${STOCK}/stock/${what}`, { agent: connections, headers: traceHeaders() });
    asking.end();
    const [answer] = await once(asking, "response");
    return JSON.parse(await text(answer));
  });
}

async function other(name, url) {
  return await calling(`GET /${name}`, { "url.full": url }, async () => {
    const [answer] = await once(get(url, { headers: traceHeaders() }), "response");
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

const routes = {
  "/order": async (query) => {
    const item = Number(query.get("item"));
    const [stock, price] = await Promise.all([inStock(item), priceOf(item)]);
    return { item, ...stock, ...price };
  },
  "/gift": () => other("gift", GIFT),
  "/reviews": () => other("reviews", REVIEWS),
  "/crash": () => inStock("crash"),
};

const server = createServer((asked, answer) => {
  const { pathname, searchParams } = new URL(asked.url, "http://shop");
  serving(`GET ${pathname}`, asked.headers, async () => {
    const found = await routes[pathname](searchParams);
    answer.writeHead(200, { "content-type": "application/json" });
    answer.end(JSON.stringify(found));
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
