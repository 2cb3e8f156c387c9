// The shop's programs, each in its namespace, and the way out for their telemetry.
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, globSync } from "node:fs";
import { connect, createServer } from "node:net";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream";
import { promisify } from "node:util";
import type { Netns } from "../../test/support/netns.ts";

const folder = import.meta.dirname;
const root = join(folder, "../..");
const NOBODY = 65534;
/** Where applications send their spans in each namespace. */
const OTLP_PORT = 4318;

interface How {
  readonly env: Readonly<Record<string, string>>;
  /** The line that says that it has started. */
  readonly ready: RegExp;
}

/** Starts a program and waits for its line. What it says on standard error is shown if it ends before. */
async function started(
  netns: Netns,
  program: string,
  args: readonly string[],
  how: How,
): Promise<AsyncDisposable> {
  const child = netns.spawn(program, args, {
    env: { ...process.env, ...how.env },
    stdio: ["ignore", "pipe", "pipe"],
    cwd: root,
  });
  const printed: string[] = [];
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on("line", (line) => {
        printed.push(line);
        if (how.ready.test(line)) resolve();
      });
    }
    child.once("error", reject);
    child.once("exit", (code) =>
      reject(new Error(`${program} exited with ${code}: ${printed.slice(-20).join("\n")}`)),
    );
  });
  const ended = once(child, "close");
  const dispose = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  return { [Symbol.asyncDispose]: dispose };
}

/** Node.js with the SDK and wirespan's label for the bytes that it sends. */
function node(script: string): readonly string[] {
  return ["--import", join(root, "correlate/node/register.js"), join(folder, script)];
}

function sdk(service: string): Readonly<Record<string, string>> {
  return {
    OTEL_SERVICE_NAME: service,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${OTLP_PORT}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    OTEL_METRICS_EXPORTER: "none",
    OTEL_LOGS_EXPORTER: "none",
    OTEL_NODE_RESOURCE_DETECTORS: "env,host",
  };
}

/** Brings what arrives at the OTLP port of these namespaces to `port` of this one's 127.0.0.1. */
export async function forwardTelemetry(
  netnses: readonly Netns[],
  socket: string,
  port: number,
): Promise<AsyncDisposable> {
  await using made = new AsyncDisposableStack();
  const server = createServer((from) => {
    const to = connect(port, "127.0.0.1");
    pipeline(from, to, from, () => {});
  }).listen(socket);
  await once(server, "listening");
  made.defer(() => void server.close());
  for (const netns of netnses) {
    const env = { PORT: String(OTLP_PORT), SOCKET: socket };
    made.use(await started(netns, process.execPath, [join(folder, "forward.js")], { env, ready: /^ready$/ }));
  }
  return made.move();
}

export async function startStock(netns: Netns, port: number, certificates: string): Promise<AsyncDisposable> {
  const env = {
    PORT: String(port),
    CERTIFICATE: join(certificates, "stock.pem"),
    KEY: join(certificates, "stock.key"),
    PYTHONPATH: join(root, "correlate/python"),
    OTEL_SERVICE_NAME: "stock",
  };
  return await started(netns, "python3", [join(folder, "stock.py")], { env, ready: /^ready$/ });
}

export async function startGateway(
  netns: Netns,
  port: number,
  { stock, database, ca }: { readonly stock: string; readonly database: string; readonly ca: string },
): Promise<AsyncDisposable> {
  const env = { ...sdk("gateway"), PORT: String(port), STOCK: stock, DATABASE: database, CA: ca };
  return await started(netns, process.execPath, node("gateway.js"), { env, ready: /^ready$/ });
}

/** Where PostgreSQL's programs are; undefined without them. */
export function postgresFolder(): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...globSync("/usr/lib/postgresql/*/bin")];
  return folders.find((one) => existsSync(join(one, "postgres")) && existsSync(join(one, "initdb")));
}

/** PostgreSQL with the shop's items, in `scratch`. */
export async function startDatabase(
  netns: Netns,
  address: string,
  programs: string,
  scratch: string,
): Promise<AsyncDisposable> {
  chmodSync(scratch, 0o755);
  const home = join(scratch, "postgres");
  const ids = { uid: NOBODY, gid: NOBODY };
  await promisify(execFile)("mkdir", [home]);
  chownSync(home, NOBODY, NOBODY);
  const init = ["-D", join(home, "data"), "-U", "shop", "-A", "trust", "-N", "--no-locale", "-E", "UTF8"];
  await promisify(execFile)(join(programs, "initdb"), init, { ...ids, cwd: home });
  await promisify(execFile)("sh", ["-c", `echo 'host all all 0.0.0.0/0 trust' >>${home}/data/pg_hba.conf`]);
  const items =
    "CREATE TABLE items AS SELECT id, id * 3 % 100 AS price, repeat(md5(id::text), 400) AS description " +
    "FROM generate_series(0, 99) id";
  // A session without a server; its statements end with the line.
  execFileSync(
    join(programs, "postgres"),
    ["--single", "-c", "log_min_messages=fatal", "-D", join(home, "data"), "postgres"],
    {
      ...ids,
      cwd: home,
      input: `${items}\n`,
      stdio: ["pipe", "ignore", "inherit"],
    },
  );
  const options = ["-D", join(home, "data"), "-k", home, "-h", address, "-F"];
  // It refuses to be root, who alone enters the namespace.
  const nobody = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", join(programs, "postgres")];
  const server = await started(netns, "setpriv", [...nobody, ...options], {
    env: { OTEL_SERVICE_NAME: "database" },
    ready: /ready to accept connections/,
  });
  return server;
}

/** One order that a customer made. */
export interface Order {
  readonly trace: string;
  readonly status: number;
  readonly ms: number;
}

/** Runs the customers to their end; their orders. */
export async function shopping(
  netns: Netns,
  shop: string,
  orders: number,
  connections: number,
): Promise<Order[]> {
  const env = {
    ...process.env,
    ...sdk("customers"),
    SHOP: shop,
    ORDERS: String(orders),
    CONNECTIONS: String(connections),
  };
  const child = netns.spawn(process.execPath, node("customers.js"), {
    env,
    stdio: ["ignore", "pipe", "inherit"],
    cwd: root,
  });
  const made: Order[] = [];
  createInterface({ input: child.stdout! }).on("line", (line) => made.push(JSON.parse(line) as Order));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`the customers exited with ${code}`);
  return made;
}
