// The workload of `wirespan bench`: loopback connections, one after the other, both ends in this process.
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";

/** The results of one window; CPU time is this process's own, in microseconds. */
export interface Window {
  readonly connections: number;
  readonly seconds: number;
  readonly userUs: number;
  readonly systemUs: number;
}

/** Opens connections for this long: one byte each way, and an orderly end. */
export async function makeConnections(seconds: number): Promise<Window> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("data", () => socket.end("1"));
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const one = async (i: number) => {
    // From many addresses, so that ports do not run out.
    const socket = connect({ port, host: "127.0.0.1", localAddress: `127.0.0.${1 + (i % 250)}` });
    socket.end("1");
    socket.resume();
    await once(socket, "close");
  };
  for (let i = 0; i < 200; i++) await one(i);
  const cpu = process.cpuUsage();
  const begun = performance.now();
  let connections = 0;
  while (performance.now() - begun < seconds * 1000) await one(connections++);
  const elapsed = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  server.close();
  return { connections, seconds: elapsed, userUs: user, systemUs: system };
}
