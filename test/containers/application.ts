/** A Node program that opens twenty connections to itself, and then waits. */
export const APPLICATION = `
  const net = require("node:net");
  const server = net.createServer((socket) => socket.on("data", () => socket.end("x")));
  server.listen(0, "127.0.0.1", async () => {
    for (let i = 0; i < 20; i++) {
      const socket = net.connect(server.address().port, "127.0.0.1");
      socket.write("a");
      socket.resume();
      await new Promise((resolve) => socket.on("close", resolve));
    }
  });`;
