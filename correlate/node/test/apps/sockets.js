// sockets.js SCENE: HTTP on sockets that are easily mistaken for each other; bodies and heads contain the id of their
// context. Prints what the table said at each send.
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { status } from "../../register.js";
import { context } from "./context.js";
import { tally, watchSends, watchSocket } from "./sends.js";

const [, , scene = ""] = process.argv;

/** @param {string} traceparent */
const keyOf = (traceparent) => `k${traceparent.slice(36, 52)}`;

/** @param {http.IncomingMessage} request @param {http.ServerResponse} response */
function answer(request, response) {
  const traceparent = request.headers.traceparent;
  const body = typeof traceparent === "string" ? keyOf(traceparent) : "nobody's";
  setTimeout(() => response.end(body), Number(request.headers.wait ?? 0));
}

/** @param {string} [host] */
async function serve(host) {
  const server = http.createServer({ keepAliveTimeout: 60_000 }, answer);
  server.on("connection", (socket) => watchSocket(socket));
  await once(server.listen({ port: 0, host, backlog: 4096 }), "listening");
  return { server, port: /** @type {net.AddressInfo} */ (server.address()).port };
}

/** @param {http.RequestOptions} options @param {string} [traceparent] @returns {Promise<string>} */
function get(options, traceparent) {
  const headers = traceparent ? { traceparent, key: keyOf(traceparent) } : {};
  return new Promise((resolve, reject) => {
    http
      .get({ ...options, headers }, async (response) => {
        let body = "";
        for await (const chunk of response) body += chunk;
        resolve(body);
      })
      .on("error", reject);
  });
}

/** @type {Record<string, () => Promise<void>>} */
const scenes = {
  // The same two ports, hence the same slot, but two peers.
  async peers() {
    const { port } = await serve("0.0.0.0");
    const localPort = 20_000 + (process.pid % 10_000);
    const agents = ["127.0.0.2", "127.0.0.3"].map((host) => {
      return { host, port, localPort, agent: new http.Agent({ keepAlive: true, maxSockets: 1 }) };
    });
    for (let i = 0; i < 200; i++) await Promise.all(agents.map((options) => get(options, context())));
  },
  async IPv6() {
    const { port } = await serve("::1");
    for (let i = 0; i < 20; i++) await get({ host: "::1", port }, context());
  },
  async mapped() {
    const { port } = await serve("::");
    for (let i = 0; i < 20; i++) await get({ host: "127.0.0.1", port }, context());
  },
  // Many sockets at once, many of which share a slot, all used in turn.
  async thousands() {
    const { port } = await serve("127.0.0.1");
    const agents = Array.from({ length: 1000 }, () => new http.Agent({ keepAlive: true, maxSockets: 1 }));
    for (let i = 0; i < 3; i++) {
      await Promise.all(agents.map((agent) => get({ host: "127.0.0.1", port, agent }, context())));
    }
  },
  // The second response is ready before the first, but is written after it.
  async pipelined() {
    const { port } = await serve("127.0.0.1");
    const socket = net.connect(port, "127.0.0.1");
    const requests = [20, 0, 10].map((wait) => {
      return `GET / HTTP/1.1\r\nHost: x\r\nwait: ${wait}\r\ntraceparent: ${context()}\r\n\r\n`;
    });
    await once(socket, "connect");
    tally();
    socket.write(requests.join(""));
    let received = "";
    for await (const chunk of socket) {
      received += chunk;
      if (
        received.split("HTTP/1.1 200").length === 4 &&
        (received.match(/k[0-9a-f]{16}/g) ?? []).length === 3
      )
        break;
    }
  },
  // A request without a context between two with one.
  async without() {
    const { port } = await serve("127.0.0.1");
    const options = { host: "127.0.0.1", port, agent: new http.Agent({ keepAlive: true, maxSockets: 1 }) };
    for (let i = 0; i < 50; i++) {
      await get(options, context());
      await get(options);
    }
  },
};

watchSends();
const play = scenes[scene];
if (!play) throw new Error(`no scene ${scene}`);
await play();
console.log(JSON.stringify({ ...tally(), failures: status().failures }));
process.exit(0);
