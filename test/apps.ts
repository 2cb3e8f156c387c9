// Ordinary HTTP programs in three languages, for tests of what an agent makes of real applications.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { type Netns, output } from "./netns.ts";

const folder = fileURLToPath(new URL("apps/", import.meta.url));

export type Language = "node" | "python" | "go";

/** One end of the connection, as the application counted it. */
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

/** A connection between two of them. */
export interface Exchange {
  readonly client: AppEnd;
  readonly server: AppEnd;
}

/** Why programs of that language cannot run here; undefined where they can. */
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
  built ??= output("sh", ["-c", 'cd "$1" && exec go build -o goapp .', "sh", `${folder}go`]);
  await built;
  return [`${folder}go/goapp`, role];
}

/**
 * One request of 1,000 bytes answered with 500, headers aside, over a connection of its own; both programs
 * have ended when this returns. `env` is what they get besides the test's own environment.
 */
export async function exchange(
  netns: Netns,
  languages: { readonly client: Language; readonly server: Language },
  options: {
    readonly address?: string;
    readonly env?: { readonly client?: NodeJS.ProcessEnv; readonly server?: NodeJS.ProcessEnv };
  } = {},
): Promise<Exchange> {
  const { address = "127.0.0.1", env = {} } = options;
  const [serverProgram, ...serverWords] = await command(languages.server, "server");
  const [clientProgram, ...clientWords] = await command(languages.client, "client");
  const server = netns.spawn(serverProgram, [...serverWords, address], {
    env: { ...process.env, ...env.server },
    stdio: ["pipe", "pipe", "inherit"],
  });
  if (!server.stdin || !server.stdout) throw new Error("a server needs pipes");
  const said = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const listening = await said.next();
  if (listening.done) throw new Error(`the ${languages.server} server ended before it listened`);
  const { port } = JSON.parse(listening.value) as { port: number };
  const client = netns.spawn(clientProgram, [...clientWords, address, String(port)], {
    env: { ...process.env, ...env.client },
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (!client.stdout) throw new Error("a client needs a pipe");
  const [clientSaid] = await Promise.all([text(client.stdout), once(client, "close")]);
  if (client.exitCode !== 0) throw new Error(`the ${languages.client} client ended with ${client.exitCode}`);
  // Only a connection that has closed is spoken of, so this also waits for that.
  const serverSaid = await said.next();
  server.stdin.end();
  await once(server, "close");
  if (serverSaid.done || server.exitCode !== 0) throw new Error(`the ${languages.server} server failed`);
  return { client: JSON.parse(clientSaid) as AppEnd, server: JSON.parse(serverSaid.value) as AppEnd };
}
