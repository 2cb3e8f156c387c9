// cluster.js: a cluster of two workers behind one port. Prints each process's status, and how many requests it handled.
import cluster from "node:cluster";
import { once } from "node:events";
import http from "node:http";
import { status } from "../../register.js";
import { context } from "./context.js";

if (cluster.isPrimary) {
  const workers = [cluster.fork(), cluster.fork()];
  const ports = await Promise.all(workers.map(async (worker) => (await once(worker, "message"))[0]));
  for (let i = 0; i < 40; i++) {
    await new Promise((resolve, reject) => {
      const options = {
        port: ports[0],
        host: "127.0.0.1",
        agent: false,
        headers: { traceparent: context() },
      };
      http.get(options, (response) => response.resume().on("end", resolve)).on("error", reject);
    });
  }
  const results = await Promise.all(
    workers.map(async (worker) => {
      worker.send("end");
      return (await once(worker, "message"))[0];
    }),
  );
  console.log(JSON.stringify({ ports, results, primary: status() }));
  for (const worker of workers) worker.disconnect();
  process.exit(0);
} else {
  let requests = 0;
  const server = http.createServer((_, response) => {
    requests++;
    response.end("ok");
  });
  server.listen(0, "127.0.0.1", () => {
    process.send?.(/** @type {import("node:net").AddressInfo} */ (server.address()).port);
  });
  process.on("message", () => process.send?.({ requests, ...status() }));
}
