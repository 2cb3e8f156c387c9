// The opt-in health address: what an orchestrator asks, and nobody else needs.
import { createServer } from "node:http";
import { WirespanError } from "./errors.ts";

/** `host:port`, `[::1]:port` or `:port`, as validated by the configuration. */
function split(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(":");
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(address.slice(at + 1)) };
}

/** Answers every GET with 200 and the status as JSON, or 503 where `isWell` says no. */
export function serveHealth(
  address: string,
  status: () => unknown,
  isWell: () => boolean,
): Promise<Disposable> {
  const server = createServer((_, response) => {
    response.writeHead(isWell() ? 200 : 503, { "content-type": "application/json" });
    response.end(`${JSON.stringify(status())}\n`);
  });
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      reject(
        new WirespanError(
          "CONFIG_INVALID",
          `health.address: ${address} can't be listened on: ${cause.code}`,
          { cause },
        ),
      );
    });
    const { host, port } = split(address);
    server.listen({ ...(host && { host }), port }, () => resolve({ [Symbol.dispose]: close }));
  });
}
