// Brings telemetry out of a network namespace: TCP on 127.0.0.1:PORT here, a Unix socket there.
import { connect, createServer } from "node:net";
import { pipeline } from "node:stream";

const { PORT, SOCKET } = process.env;
createServer((from) => {
  pipeline(from, connect(SOCKET), from, () => {});
}).listen(Number(PORT), "127.0.0.1", () => console.log("ready"));
