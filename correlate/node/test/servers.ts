// PostgreSQL and Redis for a test, each in a folder that is removed with it.
import { type ChildProcess, execFile, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, chownSync, existsSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

/** A running server; disposal stops it and removes its folder. */
export interface Server extends AsyncDisposable {
  readonly port: number;
}

/** Where a server listens; a free port of 127.0.0.1 by default. */
export interface Place {
  /** Path of the network namespace to run in. */
  readonly netns: string;
  readonly address: string;
  readonly port: number;
}

const NOBODY = 65534;
const cache = join(import.meta.dirname, "../../../node_modules/.cache/wirespan");

/** The folder of PostgreSQL's programs; undefined if not installed. */
export function postgresFolder(): string | undefined {
  const installed = ["", join(cache, "postgres")].flatMap((root) =>
    globSync(`${root}/usr/lib/postgresql/*/bin`),
  );
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...installed];
  return folders.find((folder) => existsSync(join(folder, "postgres")) && existsSync(join(folder, "initdb")));
}

/** The environment for programs in that folder: unpacked programs need their own libraries. */
export function postgresEnvironment(programs: string): NodeJS.ProcessEnv {
  if (!programs.startsWith(cache)) return process.env;
  const libraries = globSync(join(cache, "postgres/usr/lib/*-linux-gnu")).join(":");
  return { ...process.env, LD_LIBRARY_PATH: libraries };
}

export async function startPostgres(programs: string, place?: Place): Promise<Server> {
  // PostgreSQL refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const folder = mkdtempSync(join(tmpdir(), "wirespan-postgres-"));
  if (user.uid) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  const init = ["-D", data, "-U", "wirespan", "-A", "trust", "-N", "--no-locale", "-E", "UTF8"];
  const env = postgresEnvironment(programs);
  await promisify(execFile)(join(programs, "initdb"), init, { ...user, cwd: folder, env });
  if (place) appendFileSync(join(data, "pg_hba.conf"), "host all all all trust\n");
  const port = place?.port ?? (await freePort());
  const address = place?.address ?? "127.0.0.1";
  // Only root can enter a namespace.
  const asUser = user.uid ? ["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"] : [];
  const command = [...asUser, join(programs, "postgres"), "-D", data, "-k", folder, "-F"];
  const server = start(place, [...command, "-p", String(port), "-h", address], {
    ...{ cwd: folder, env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  return ready(server, "stderr", /ready to accept connections/, port, folder);
}

/** The command that starts Redis; undefined if not installed. */
export function redisCommand(): { program: string; env: NodeJS.ProcessEnv } | undefined {
  const unpacked = join(cache, "redis");
  const folders = (process.env.PATH ?? "").split(delimiter);
  const installed = folders.map((folder) => join(folder, "redis-server")).find((file) => existsSync(file));
  if (installed) return { program: installed, env: process.env };
  const program = join(unpacked, "usr/bin/redis-server");
  if (!existsSync(program)) return undefined;
  const libraries = globSync(join(unpacked, "usr/lib/*-linux-gnu")).join(":");
  return { program, env: { ...process.env, LD_LIBRARY_PATH: libraries } };
}

export async function startRedis(
  { program, env }: { program: string; env: NodeJS.ProcessEnv },
  place?: Place,
): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "wirespan-redis-"));
  const port = place?.port ?? (await freePort());
  const options = ["--bind", place?.address ?? "127.0.0.1", "--save", "", "--appendonly", "no"];
  const server = start(place, [program, "--port", String(port), ...options, "--protected-mode", "no"], {
    env,
    cwd: folder,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return ready(server, "stdout", /Ready to accept connections/, port, folder);
}

function start(place: Place | undefined, command: readonly string[], options: SpawnOptions): ChildProcess {
  const [program = "", ...words] = place ? ["nsenter", `--net=${place.netns}`, "--", ...command] : command;
  return spawn(program, words, options);
}

async function ready(
  server: ChildProcess,
  output: "stdout" | "stderr",
  line: RegExp,
  port: number,
  folder: string,
): Promise<Server> {
  const gone = once(server, "close");
  const lines = createInterface({ input: server[output]! });
  const started = new Promise<void>((resolve, reject) => {
    const said: string[] = [];
    lines.on("line", (text) => {
      said.push(text);
      if (line.test(text)) resolve();
    });
    server.once("error", reject);
    server.once("close", () => reject(new Error(`it ended: ${said.join("\n")}`)));
  });
  try {
    await started;
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  }
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.kill("SIGINT");
      await gone;
      rmSync(folder, { recursive: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
