// Servers with limits on connections, so that no client can take more than its share.
import type { Server, Socket } from "node:net";

/**
 * Keeps at most `most` connections, of which the oldest is closed for a new one, and each for at most `ms`
 * milliseconds. Returns a function that lifts a connection's time limit.
 */
export function boundConnections(server: Server, most: number, ms: number): (connection: Socket) => void {
  const open = new Map<Socket, NodeJS.Timeout>();
  const forget = (connection: Socket) => {
    clearTimeout(open.get(connection));
    open.delete(connection);
  };
  server.on("connection", (connection: Socket) => {
    // A client may disconnect at any moment and in any way.
    connection.on("error", () => connection.destroy());
    connection.once("close", () => forget(connection));
    open.set(
      connection,
      setTimeout(() => connection.destroy(), ms),
    );
    const [oldest] = open.keys();
    if (open.size <= most || oldest === undefined) return;
    // Immediately: "close" comes only after all connections of this turn of the event loop.
    forget(oldest);
    oldest.destroy();
  });
  return (connection) => clearTimeout(open.get(connection));
}
