// The shop's programs, each in its namespace, and the forwarding of their telemetry.
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream";
import { promisify } from "node:util";
import { postgresFolder } from "../../correlate/node/test/servers.ts";
import { Certificates } from "../../test/support/certificates.ts";
import type { Netns } from "../../test/support/netns.ts";
import { addresses, CLOSED, PORTS, type Town } from "./town.ts";

const folder = import.meta.dirname;
const root = join(folder, "../..");
const NOBODY = 65534;
/** Where applications send their spans in each namespace. */
const OTLP_PORT = 4318;

interface How {
  readonly env: Readonly<Record<string, string>>;
  /** The line that it prints when it has started. */
  readonly ready: RegExp;
}

/** Starts a program and waits for its line. If it ends before that, its standard error is shown. */
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

/** Additional code in the services' processes; `env`: its environment. */
export interface Beside {
  /** A module, imported first. */
  readonly node: string;
  /** A program that runs the program named by its first argument. */
  readonly python: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Node.js with the SDK and wirespan's label for the bytes that it sends. */
function node(script: string, beside: Beside | undefined): readonly string[] {
  const register = ["--import", join(root, "correlate/node/register.js")];
  return [...register, ...(beside ? ["--import", beside.node] : []), join(folder, script)];
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

/** Forwards what arrives at the OTLP port of these namespaces to 127.0.0.1:`port` of this one. */
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

async function startStock(
  netns: Netns,
  certificates: string,
  beside: Beside | undefined,
): Promise<AsyncDisposable> {
  const env = {
    PORT: String(PORTS.stock),
    CERTIFICATE: join(certificates, "stock.pem"),
    KEY: join(certificates, "stock.key"),
    PYTHONPATH: join(root, "correlate/python"),
    OTEL_SERVICE_NAME: "stock",
    ...beside?.env,
  };
  const words = [...(beside ? [beside.python] : []), join(folder, "stock.py")];
  return await started(netns, "python3", ["-B", ...words], { env, ready: /^ready$/ });
}

async function startGateway(
  netns: Netns,
  certificates: string,
  beside: Beside | undefined,
): Promise<AsyncDisposable> {
  const env = {
    ...sdk("gateway"),
    PORT: String(PORTS.gateway),
    STOCK: `https://${addresses.stock}:${PORTS.stock}`,
    DATABASE: `postgres://shop@${addresses.database}:${PORTS.database}/postgres`,
    CA: join(certificates, "ca.pem"),
    GIFT: `http://${addresses.stock}:${CLOSED.gift}/`,
    REVIEWS: `http://${addresses.stock}:${CLOSED.reviews}/`,
    ...beside?.env,
  };
  return await started(netns, process.execPath, node("gateway.js", beside), { env, ready: /^ready$/ });
}

/** A running shop; its last spans are sent when it ends. */
export async function openShop(
  town: Town,
  { scratch, otlp, beside }: { readonly scratch: string; readonly otlp: number; readonly beside?: Beside },
): Promise<AsyncDisposable> {
  const programs = postgresFolder();
  if (!programs) throw new Error("no PostgreSQL on this machine");
  const certificates = new Certificates(scratch);
  certificates.authority("ca");
  certificates.leaf("stock", "ca", `IP:${addresses.stock}`);
  await using made = new AsyncDisposableStack();
  const sockets = join(scratch, "otlp.sock");
  made.use(await forwardTelemetry([town.customers, town.gateway], sockets, otlp));
  made.use(await startDatabase(town.database, addresses.database, programs, scratch));
  made.use(await startStock(town.stock, scratch, beside));
  made.use(await startGateway(town.gateway, scratch, beside));
  const stack = made.move();
  return { [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Installs the gateway's driver for PostgreSQL if it is missing. Throws npm's error. */
export function installDriver(say: (text: string) => void = () => {}): void {
  if (existsSync(join(folder, "node_modules/pg"))) return;
  say("installing PostgreSQL's driver for the gateway (npm ci in examples/shop)");
  const npm = ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"];
  execFileSync("npm", npm, { stdio: ["ignore", "ignore", "inherit"] });
}

/** PostgreSQL with the shop's items, in `scratch`. */
async function startDatabase(
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
  // Single-user mode: a session without a server; each line is a statement.
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
  // It refuses to run as root, but only root can enter the namespace.
  const nobody = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", join(programs, "postgres")];
  const server = await started(netns, "setpriv", [...nobody, ...options], {
    env: { OTEL_SERVICE_NAME: "database" },
    ready: /ready to accept connections/,
  });
  return server;
}

/** One request of the customers. */
export interface Asked {
  readonly path: "order" | "gift" | "reviews" | "crash";
  readonly trace: string;
  readonly status: number;
  readonly ms: number;
}

/** The number of each kind of request: see customers.js. */
export interface Wishes {
  readonly orders: number;
  readonly connections: number;
  /** Each causes a connect that is refused. */
  readonly gifts: number;
  /** Each causes a connect that gets no answer. */
  readonly reviews: number;
}

/** Runs the customers until they end; returns their requests. */
export async function shopping(netns: Netns, wishes: Wishes, beside?: Beside): Promise<Asked[]> {
  const env = {
    ...process.env,
    ...sdk("customers"),
    SHOP: `http://${addresses.gateway}:${PORTS.gateway}`,
    ORDERS: String(wishes.orders),
    CONNECTIONS: String(wishes.connections),
    GIFTS: String(wishes.gifts),
    REVIEWS: String(wishes.reviews),
    ...beside?.env,
  };
  const child = netns.spawn(process.execPath, node("customers.js", beside), {
    env,
    stdio: ["ignore", "pipe", "inherit"],
    cwd: root,
  });
  const made: Asked[] = [];
  createInterface({ input: child.stdout! }).on("line", (line) => made.push(JSON.parse(line) as Asked));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`the customers exited with ${code}`);
  return made;
}
