// Sends requests over TLS connections to itself, then some to a port on which nothing listens; prints the traceparents of both as
// JSON. Arguments: KEY CERTIFICATE REQUESTS CONNECTIONS REFUSED.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";

const [key, cert] = process.argv.slice(2, 4).map((path) => readFileSync(path));
const [requests, connections, attempts] = process.argv.slice(4).map(Number);
const traceparent = () => `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`;
const asked = [];
const refused = [];

const server = https.createServer({ key, cert }, (request, response) => {
  request.resume().on("end", () => response.end(randomBytes(300)));
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const agent = new https.Agent({ keepAlive: true, maxSockets: connections });

async function ask() {
  const headers = { traceparent: traceparent() };
  asked.push(headers.traceparent);
  const { port } = server.address();
  const request = https.request({ host: "127.0.0.1", port, agent, method: "POST", rejectUnauthorized: false, headers });
  request.end(randomBytes(100));
  const [answer] = await once(request, "response");
  answer.resume();
  await once(answer, "end");
}

async function client() {
  while (asked.length < requests) await ask();
}

await Promise.all(Array.from({ length: connections }, client));
for (let i = 0; i < attempts; i++) {
  const headers = { traceparent: traceparent() };
  refused.push(headers.traceparent);
  await new Promise((resolve) => http.get({ host: "127.0.0.1", port: 1, headers }).on("error", resolve));
}
process.stdout.write(JSON.stringify({ asked, refused }), () => process.exit(0));
