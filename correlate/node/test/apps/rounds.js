// rounds.js FOLDER: for each line on standard input makes one HTTPS request on each of 8 connections, both ends of which are
// in this process. Prints what should be in the table after each round.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import https from "node:https";
import { createInterface } from "node:readline";
import { context } from "./context.js";

const [, , folder = ""] = process.argv;
const [key, cert] = [readFileSync(`${folder}/server.key`), readFileSync(`${folder}/server.pem`)];
const server = https.createServer({ key, cert }, (_, response) => response.end("ok"));
await once(server.listen(0, "127.0.0.1"), "listening");
const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
const options = { keepAlive: true, maxSockets: 1, rejectUnauthorized: false };
const agents = Array.from({ length: 8 }, () => new https.Agent(options));

/** @param {https.Agent} agent */
async function one(agent) {
  const traceparent = context();
  const request = https.get({ host: "127.0.0.1", port, agent, headers: { traceparent } });
  const [response] = await once(request, "response");
  const { localPort } = response.socket;
  await once(response.resume(), "end");
  return [`${localPort}>${port} ${traceparent}`, `${port}>${localPort} ${traceparent}`];
}

for await (const _ of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify((await Promise.all(agents.map(one))).flat()));
}
process.exit(0);
