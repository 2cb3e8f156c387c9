// How `wirespan status` and `wirespan reload` speak with the running agent: one JSON line each way over a
// Unix socket that only the agent's user may open.
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createConnection, createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { WirespanError } from "./errors.ts";

export type Command = "status" | "reload";

export interface Answer {
  /** What was asked for; absent: it failed. */
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string; readonly detail?: string };
}

/** Where the agent of this user listens unless it is told otherwise. */
export function defaultSocket(): string {
  const uid = process.getuid!();
  const folder = uid === 0 ? "/run" : (process.env.XDG_RUNTIME_DIR ?? `/tmp/wirespan-${uid}`);
  return join(folder, "wirespan", "control.sock");
}

/** Asks the agent behind a socket. Throws USAGE where none listens. */
export function ask(socket: string, command: Command): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const connection = createConnection(socket);
    // An interface hands its input's errors on.
    createInterface({ input: connection })
      .once("error", (cause: NodeJS.ErrnoException) => {
        const message = `No agent listens on ${socket} (${cause.code}); is one running, as this user?`;
        reject(new WirespanError("USAGE", message, { cause }));
      })
      .once("line", (line) => {
        connection.end();
        resolve(JSON.parse(line) as Answer);
      });
    connection.write(`${command}\n`);
  });
}

async function answer(handlers: Readonly<Record<Command, () => unknown>>, command: string): Promise<Answer> {
  try {
    if (!Object.hasOwn(handlers, command)) throw new WirespanError("USAGE", `unknown command ${command}`);
    return { result: await handlers[command as Command]() };
  } catch (error) {
    const { message, code, detail } = error as WirespanError;
    return { error: { code: code ?? "UNEXPECTED", message, ...(detail !== undefined && { detail }) } };
  }
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(socket, () => {
      chmodSync(socket, 0o600);
      resolve();
    });
  });
}

async function isAnswered(socket: string): Promise<boolean> {
  try {
    await ask(socket, "status");
    return true;
  } catch {
    return false;
  }
}

/**
 * Answers on `socket` until it is closed. Undefined where another agent answers there: there are two on
 * this host then, which do each other no harm but report everything twice.
 */
export async function serveControl(
  socket: string,
  handlers: Readonly<Record<Command, () => unknown>>,
): Promise<Disposable | undefined> {
  mkdirSync(dirname(socket), { recursive: true, mode: 0o700 });
  const server = createServer((connection) => {
    createInterface({ input: connection })
      .on("error", () => connection.destroy())
      .once("line", (command) => {
        void answer(handlers, command).then((a) => connection.end(`${JSON.stringify(a)}\n`));
      });
  });
  try {
    await listen(server, socket);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    if (await isAnswered(socket)) return undefined;
    // Left behind by an agent that was killed.
    rmSync(socket);
    await listen(server, socket);
  }
  return { [Symbol.dispose]: () => server.close() };
}
