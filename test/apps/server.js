// An ordinary HTTP server: server.js ADDRESS. Ends when its standard input is closed.
import { createServer } from "node:http";

const say = (line) => console.log(JSON.stringify({ app: "node", role: "server", pid: process.pid, ...line }));

const server = createServer((request, response) => {
  request.resume();
  request.on("end", () => response.end("a".repeat(500)));
});
server.on("connection", (socket) => {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  socket.on("close", () => {
    const ends = { local: localAddress, localPort, remote: remoteAddress, remotePort };
    say({ event: "end", ...ends, sent: socket.bytesWritten, received: socket.bytesRead });
  });
});
server.listen(0, process.argv[2], () => say({ event: "listening", port: server.address().port }));
process.stdin.resume().on("end", () => {
  server.close();
  server.closeAllConnections();
});
