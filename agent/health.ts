// The optional health address for orchestrators.
import { createServer } from "node:http";
import { WirespanError } from "../core/plugin/errors.ts";
import { boundConnections } from "./bounded-server.ts";

/**
 * Maximum number of connections, milliseconds of each, and bytes of a request's headers: anyone who reaches the
 * address may connect.
 */
const LIMIT = { connections: 32, ms: 5000, headers: 4096 };

/** `host:port`, `[::1]:port` or `:port`, as validated by the configuration. */
function split(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(":");
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(address.slice(at + 1)) };
}

/** Answers every GET with 200 and the status as JSON, or 503 if `isWell` returns false. */
export function serveHealth(
  address: string,
  status: () => unknown,
  isWell: () => boolean,
): Promise<Disposable> {
  const server = createServer({ maxHeaderSize: LIMIT.headers }, (_, response) => {
    response.writeHead(isWell() ? 200 : 503, { "content-type": "application/json", connection: "close" });
    response.end(`${JSON.stringify(status())}\n`);
  });
  boundConnections(server, LIMIT.connections, LIMIT.ms);
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      reject(
        new WirespanError("CONFIG_INVALID", `health.address: cannot listen on ${address}: ${cause.code}`, {
          cause,
        }),
      );
    });
    const { host, port } = split(address);
    server.listen({ ...(host && { host }), port }, () => {
      // Without descriptors no connection can be accepted; the server continues.
      server.on("error", () => {});
      resolve({ [Symbol.dispose]: close });
    });
  });
}
