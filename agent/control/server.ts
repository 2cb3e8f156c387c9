// The server for `wirespan status` and `wirespan reload`: one line each way over a Unix socket that only the agent's
// user may open. A client can be broken, slow or hostile.
import { mkdirSync, unlinkSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { resolve as absolute, dirname } from "node:path";
import { requireSafeFolder, requireSocket } from "../../config/control-socket.ts";
import { WirespanError } from "../../core/plugin/errors.ts";
import { boundConnections } from "../bounded-server.ts";
import { type Answer, ask, type Command } from "./client.ts";

type Handlers = Readonly<Record<Command, () => unknown>>;

/** Maximum number of connections; milliseconds that a client has to send its command, and to read the response. */
const LIMIT = { connections: 16, ms: 10_000 };

/** Milliseconds that another agent has to answer at startup. */
const START_MS = 2000;

/** Bytes of a command. */
const LONGEST = 64;

async function answer(handlers: Handlers, command: string): Promise<Answer> {
  try {
    if (!Object.hasOwn(handlers, command)) {
      throw new WirespanError("USAGE", `unknown command; known: ${Object.keys(handlers).join(", ")}`);
    }
    return { result: await handlers[command as Command]() };
  } catch (error) {
    const { message, code, detail } = error as WirespanError;
    return { error: { code: code ?? "UNEXPECTED", message, ...(detail !== undefined && { detail }) } };
  }
}

function serve(connection: Socket, handlers: Handlers, take: () => void): void {
  let got = Buffer.alloc(0);
  const run = (command: string) => {
    connection.removeListener("data", listen).removeListener("end", ended).pause();
    take();
    // JSON readers ignore blanks, which only show that the command is in progress.
    connection.write(" ");
    void answer(handlers, command).then((a) => {
      connection.end(`${JSON.stringify(a)}\n`, () => connection.destroy());
      setTimeout(() => connection.destroy(), LIMIT.ms).unref();
    });
  };
  const listen = (chunk: Buffer) => {
    got = Buffer.concat([got, chunk.subarray(0, LONGEST + 1)]);
    const end = got.indexOf("\n");
    if (end >= 0 || got.length > LONGEST) run(got.toString("utf8", 0, end < 0 ? 0 : end).trim());
  };
  const ended = () => run(got.toString().trim());
  connection.on("data", listen).once("end", ended);
}

/** Listens on a socket that no other user can open at any time. */
function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const mask = process.umask(0o177);
    try {
      server.listen(socket, () => {
        server.removeListener("error", reject);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}

/** Whether an agent answers there; false if nothing listens any more. Throws CONTROL if something else listens. */
async function isAnswered(socket: string): Promise<boolean> {
  try {
    await ask(socket, "status", START_MS);
    return true;
  } catch (error) {
    if (((error as WirespanError).cause as NodeJS.ErrnoException | undefined)?.code !== "ECONNREFUSED")
      throw error;
    return false;
  }
}

/**
 * Answers on `socket` until it is closed. Undefined if another agent answers there: two agents on one host do not
 * interfere with each other, but report everything twice. Throws CONTROL with the reason for a path that cannot be
 * listened on; an existing file that is not a dead socket of this user is not removed.
 */
export async function serveControl(path: string, handlers: Handlers): Promise<Disposable | undefined> {
  const socket = absolute(path);
  try {
    mkdirSync(dirname(socket), { recursive: true, mode: 0o700 });
    requireSafeFolder(socket);
    const server = createServer({ allowHalfOpen: true });
    const take = boundConnections(server, LIMIT.connections, LIMIT.ms);
    server.on("connection", (connection) => serve(connection, handlers, () => take(connection)));
    if (await isTaken(socket)) return undefined;
    await listen(server, socket);
    // Without descriptors no connection can be accepted; the server continues.
    server.on("error", () => {});
    return { [Symbol.dispose]: () => server.close() };
  } catch (error) {
    throw explained(socket, error as NodeJS.ErrnoException);
  }
}

/** Whether an agent already listens there. A dead socket of this user is removed. */
async function isTaken(socket: string): Promise<boolean> {
  const before = requireSocket(socket);
  if (before === undefined) return false;
  const uid = process.getuid!();
  if (before.uid !== uid) {
    const why = `it belongs to user ${before.uid}, not to user ${uid}; remove it, or name another path.`;
    throw new WirespanError("CONTROL", `control.socket: ${socket}: ${why}`);
  }
  if (await isAnswered(socket)) return true;
  // Left behind by an agent that was killed; a socket that another agent has just created is not removed.
  if (requireSocket(socket)?.ino === before.ino) unlinkSync(socket);
  return false;
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  EROFS: "the file system is read-only",
  ENOTDIR: "a part of the path is not a folder",
  EEXIST: "a part of the path is not a folder",
  ENOENT: "a part of the path is a link to nothing",
  ELOOP: "the path has a loop of links",
  ENOSPC: "no space left on the device",
  EADDRINUSE: "another agent has just started to listen there",
};

function explained(socket: string, error: NodeJS.ErrnoException): WirespanError {
  if (error instanceof WirespanError) return error;
  const why = REASONS[error.code ?? ""] ?? error.message;
  return new WirespanError("CONTROL", `control.socket: ${socket}: ${why}; name another path.`, {
    cause: error,
  });
}
