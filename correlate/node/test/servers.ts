// PostgreSQL and Redis for a test, on a port of 127.0.0.1 and in a folder that goes with them.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

/** A running server; disposing it ends it and removes its folder. */
export interface Server extends AsyncDisposable {
  readonly port: number;
}

const NOBODY = 65534;
const cache = join(import.meta.dirname, "../../../node_modules/.cache/wirespan");

/** Where PostgreSQL's programs are; undefined without them. */
export function postgresFolder(): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...globSync("/usr/lib/postgresql/*/bin")];
  return folders.find((folder) => existsSync(join(folder, "postgres")) && existsSync(join(folder, "initdb")));
}

export async function startPostgres(programs: string): Promise<Server> {
  // PostgreSQL refuses to be root.
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const folder = mkdtempSync(join(tmpdir(), "wirespan-postgres-"));
  if (user.uid) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  const init = ["-D", data, "-U", "wirespan", "-A", "trust", "-N", "--no-locale", "-E", "UTF8"];
  await promisify(execFile)(join(programs, "initdb"), init, { ...user, cwd: folder });
  const port = await freePort();
  const options = ["-D", data, "-p", String(port), "-k", folder, "-h", "127.0.0.1", "-F"];
  const server = spawn(join(programs, "postgres"), options, {
    ...user,
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  return ready(server, "stderr", /ready to accept connections/, port, folder);
}

/** How Redis is started; undefined without it. */
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

export async function startRedis({
  program,
  env,
}: {
  program: string;
  env: NodeJS.ProcessEnv;
}): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "wirespan-redis-"));
  const port = await freePort();
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const server = spawn(program, options, { env, cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
  return ready(server, "stdout", /Ready to accept connections/, port, folder);
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
