// Sends requests in sequence over one keep-alive connection: keepalive.js ADDRESS PORT COUNT. Then it keeps the
// connection open until its standard input ends.
import { Agent, request } from "node:http";

const [host, port, count] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const sockets = new Set();

async function ask() {
  const asked = request({ host, port, agent });
  asked.end();
  await new Promise((resolve, reject) => {
    asked.on("error", reject).on("response", (response) => {
      sockets.add(response.socket);
      response.resume().on("end", resolve);
    });
  });
}

for (let i = 0; i < Number(count); i++) await ask();
const [socket] = sockets;
const bytes = { sent: socket.bytesWritten, received: socket.bytesRead };
console.log(JSON.stringify({ pid: process.pid, connections: sockets.size, localPort: socket.localPort, ...bytes }));
process.stdin.resume().on("end", () => agent.destroy());
