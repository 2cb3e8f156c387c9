// Servers of which no client can take more than its share.
import type { Server, Socket } from "node:net";

/**
 * Keeps at most `most` connections, of which the oldest gives way to a new one, and each for at most `ms` milliseconds.
 * Answers with what takes a connection's time limit off.
 */
export function boundConnections(server: Server, most: number, ms: number): (connection: Socket) => void {
  const open = new Map<Socket, NodeJS.Timeout>();
  server.on("connection", (connection: Socket) => {
    // A client may leave at any moment and in any way.
    connection.on("error", () => connection.destroy());
    connection.once("close", () => {
      clearTimeout(open.get(connection));
      open.delete(connection);
    });
    open.set(
      connection,
      setTimeout(() => connection.destroy(), ms),
    );
    const [oldest] = open.keys();
    if (open.size > most) oldest?.destroy();
  });
  return (connection) => clearTimeout(open.get(connection));
}
