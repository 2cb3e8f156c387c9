// exchange.js KIND REQUESTS CONCURRENCY [FOLDER]: a server and its client in one process; each request carries its own
// context, and one more request comes first. Prints what the table said for both ends of the connections.
import { readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { status } from "../../register.js";
import { collide } from "../reader.js";
import { context } from "./context.js";
import { Finds } from "./table.js";

const [, , kind = "", requests = "0", concurrency = "1", folder = ""] = process.argv;
process.removeAllListeners("warning");
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
const credentials = folder
  ? { key: readFileSync(`${folder}/server.key`), cert: readFileSync(`${folder}/server.pem`) }
  : {};

/** @type {string[]} */
let expected = [];
let port = 0;
const finds = new Finds();

/**
 * @param {http.IncomingMessage | http2.Http2ServerRequest} request
 * @param {http.ServerResponse | http2.Http2ServerResponse} response
 */
function answer(request, response) {
  const socket = request instanceof http.IncomingMessage ? request.socket : request.stream.session?.socket;
  const text = String(request.headers.traceparent);
  expected.push(`${socket?.remotePort}>${port} ${text}`, `${port}>${socket?.remotePort} ${text}`);
  request.resume().on("end", () => setTimeout(() => response.end("ok"), Math.random() * 2));
}

const agents = { keepAlive: true, maxSockets: Number(concurrency) };

/** @type {Record<string, () => { server: import("node:net").Server, open: (port: number) => [(traceparent: string) => Promise<unknown>, () => void] }>} */
const kinds = {
  http: () => ({
    server: http.createServer(answer),
    open: (port) => plain(http, new http.Agent(agents), port),
  }),
  https: () => ({
    server: https.createServer(credentials, answer),
    open: (port) => plain(https, new https.Agent(agents), port),
  }),
  fetch: () => ({ server: http.createServer(answer), open: (port) => fetches(`http://127.0.0.1:${port}`) }),
  fetchs: () => ({
    server: https.createServer(credentials, answer),
    open: (port) => fetches(`https://127.0.0.1:${port}`),
  }),
  h2c: () => ({ server: http2.createServer(answer), open: (port) => streams(`http://127.0.0.1:${port}`) }),
  h2: () => ({
    server: http2.createSecureServer(credentials, answer),
    open: (port) => streams(`https://127.0.0.1:${port}`),
  }),
};

/** @param {typeof http | typeof https} module @param {http.Agent} agent @param {number} port @returns {[(traceparent: string) => Promise<unknown>, () => void]} */
function plain(module, agent, port) {
  const one = (/** @type {string} */ traceparent) =>
    new Promise((resolve, reject) => {
      module
        .get({ host: "127.0.0.1", port, agent, headers: { traceparent } }, (response) => {
          response.resume().on("end", resolve);
        })
        .on("error", reject);
    });
  return [one, () => agent.destroy()];
}

/** @param {string} url @returns {[(traceparent: string) => Promise<unknown>, () => void]} */
function fetches(url) {
  return [async (traceparent) => (await fetch(url, { headers: { traceparent } })).text(), () => {}];
}

/** @param {string} url @returns {[(traceparent: string) => Promise<unknown>, () => void]} */
function streams(url) {
  const session = http2.connect(url);
  const one = (/** @type {string} */ traceparent) =>
    new Promise((resolve, reject) => {
      session.request({ ":path": "/", traceparent }).on("error", reject).on("end", resolve).resume();
    });
  return [one, () => session.close()];
}

// Two connections in one slot are a coincidence, which this program does not test.
for (let attempt = 0; attempt < 5; attempt++) {
  expected = [];
  const make = kinds[kind];
  if (!make) throw new Error(`no kind ${kind}`);
  const { server, open } = make();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  port = /** @type {import("node:net").AddressInfo} */ (server.address()).port;
  const [one, close] = open(port);
  const before = status().contexts;
  Object.assign(finds, new Finds());
  // Losses before a slot is first read are not counted.
  await one(context());
  finds.collect();
  await Promise.all(
    Array.from({ length: Number(concurrency) }, async () => {
      for (let i = 0; i < Number(requests) / Number(concurrency); i++) {
        await one(context());
        finds.collect();
      }
    }),
  );
  finds.collect();
  close();
  server.close();
  if (collide(expected.map((each) => /** @type {string} */ (each.split(" ")[0])))) continue;
  const written = status().contexts - before;
  console.log(JSON.stringify({ ...finds.against(expected), written, failures: status().failures }));
  break;
}
process.exit(0);
