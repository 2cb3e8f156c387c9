// Forwards telemetry out of a network namespace: from TCP on 127.0.0.1:PORT to a Unix socket.
import { connect, createServer } from "node:net";
import { pipeline } from "node:stream";

const { PORT, SOCKET } = process.env;
createServer((from) => {
  pipeline(from, connect(SOCKET), from, () => {});
}).listen(Number(PORT), "127.0.0.1", () => console.log("ready"));
