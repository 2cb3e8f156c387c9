// Ordinary HTTP programs in three languages, for tests with real applications.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { type Netns, output } from "./netns.ts";

const folder = fileURLToPath(new URL("../apps/", import.meta.url));

export type Language = "node" | "python" | "go";

/** One end of a connection, as the application counted it. */
export interface AppEnd {
  readonly app: Language;
  readonly role: "client" | "server";
  readonly pid: number;
  readonly event: "end";
  readonly local: string;
  readonly localPort: number;
  readonly remote: string;
  readonly remotePort: number;
  readonly sent: number;
  readonly received: number;
}

/** A connection between two applications. */
export interface Exchange {
  readonly client: AppEnd;
  readonly server: AppEnd;
}

/** The reason why programs in that language cannot run here; undefined if they can. */
export function missing(language: Language): string | undefined {
  const program = { node: process.execPath, python: "python3", go: "go" }[language];
  try {
    execFileSync(program, [language === "go" ? "version" : "--version"], { stdio: "ignore" });
    return undefined;
  } catch {
    return `no ${program} on this machine`;
  }
}

let built: Promise<string> | undefined;

async function command(
  language: Language,
  role: "client" | "server",
): Promise<readonly [string, ...string[]]> {
  if (language === "node") return [process.execPath, `${folder}${role}.js`];
  if (language === "python") return ["python3", "-B", `${folder}${role}.py`];
  built ??= output("sh", ["-c", 'cd "$1" && CGO_ENABLED=0 exec go build -o goapp .', "sh", `${folder}go`]);
  await built;
  return [`${folder}go/goapp`, role];
}

type Env = NodeJS.ProcessEnv | undefined;

/** A server in `netns` that reports each closed connection; ended by stop(). */
export interface AppServer {
  readonly pid: number;
  readonly port: number;
  /** The next connection that closes. */
  closed(): Promise<AppEnd>;
  stop(): Promise<void>;
}

export async function serve(
  netns: Netns,
  language: Language,
  { address = "127.0.0.1", env }: { readonly address?: string; readonly env?: Env } = {},
): Promise<AppServer> {
  const [program, ...words] = await command(language, "server");
  const server = netns.spawn(program, [...words, address], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { stdin, stdout, pid = 0 } = server;
  if (!stdin || !stdout) throw new Error("a server needs pipes");
  const said = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const line = await said.next();
    if (line.done) throw new Error(`the ${language} server has ended`);
    return line.value;
  };
  const { port } = JSON.parse(await next()) as { port: number };
  return {
    pid,
    port,
    closed: async () => JSON.parse(await next()) as AppEnd,
    async stop() {
      stdin.end();
      await once(server, "close");
      if (server.exitCode !== 0) throw new Error(`the ${language} server ended with ${server.exitCode}`);
    },
  };
}

/** Sends one request of 1,000 bytes over a new connection; the client has ended when this returns. */
export async function ask(
  netns: Netns,
  language: Language,
  {
    address = "127.0.0.1",
    port,
    env,
  }: { readonly address?: string; readonly port: number; readonly env?: Env },
): Promise<AppEnd> {
  const [program, ...words] = await command(language, "client");
  const client = netns.spawn(program, [...words, address, String(port)], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (!client.stdout) throw new Error("a client needs a pipe");
  const [said] = await Promise.all([text(client.stdout), once(client, "close")]);
  if (client.exitCode !== 0) throw new Error(`the ${language} client ended with ${client.exitCode}`);
  return JSON.parse(said) as AppEnd;
}

/**
 * Sends one request of 1,000 bytes, answered with 500 (not counting headers), over a new connection; both programs
 * have ended when this returns. `env` is added to the test's own environment.
 */
export async function exchange(
  netns: Netns,
  languages: { readonly client: Language; readonly server: Language },
  options: {
    readonly address?: string;
    readonly env?: { readonly client?: NodeJS.ProcessEnv; readonly server?: NodeJS.ProcessEnv };
  } = {},
): Promise<Exchange> {
  const { address, env = {} } = options;
  const at = address === undefined ? {} : { address };
  const server = await serve(netns, languages.server, { ...at, env: env.server });
  const client = await ask(netns, languages.client, { ...at, port: server.port, env: env.client });
  // Only closed connections are reported, so this also waits for the close.
  const ends = { client, server: await server.closed() };
  await server.stop();
  return ends;
}
