// Brings telemetry out of a network namespace: TCP on 127.0.0.1:PORT here, a Unix socket there.
import { connect, createServer } from "node:net";

const { PORT, SOCKET } = process.env;
createServer((from) => {
  const to = connect(SOCKET);
  for (const end of [from, to]) end.on("error", () => (from.destroy(), to.destroy()));
  from.pipe(to).pipe(from);
}).listen(Number(PORT), "127.0.0.1", () => console.log("ready"));
