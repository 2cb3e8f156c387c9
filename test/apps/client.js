// One HTTP request: client.js ADDRESS PORT.
import { request } from "node:http";

const [host, port] = process.argv.slice(2);
const asked = request({ host, port, method: "POST", agent: false, headers: { "content-length": 1000 } });
asked.on("socket", (socket) => {
  let ends = {};
  socket.on("connect", () => {
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    ends = { local: localAddress, localPort, remote: remoteAddress, remotePort };
  });
  socket.on("close", () => {
    const bytes = { sent: socket.bytesWritten, received: socket.bytesRead };
    console.log(JSON.stringify({ app: "node", role: "client", pid: process.pid, event: "end", ...ends, ...bytes }));
  });
});
// Lives as long as a small program does, so that an agent on a busy machine can still read its identity.
asked.on("close", () => setTimeout(() => {}, 200));
asked.on("response", (response) => response.resume());
asked.end("q".repeat(1000));
