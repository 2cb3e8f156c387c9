// Ports for servers that a test starts.

import { once } from "node:events";
import { createServer } from "node:net";

/**
 * `count` free ports of 127.0.0.1. They are below the kernel's range for outgoing connections, so that a server can be
 * stopped and get its port back.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
