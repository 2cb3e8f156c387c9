// `npm run demo`: a shop of three services over lossy, slow links, the agent, a Collector and Jaeger; prints the trace of one
// slow order, with what the kernel did inside of it. usage: demo.ts [--once] [--orders N]
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { type Collector, startCollector } from "../../test/backend/collector.ts";
import { type BackendName, findBackend } from "../../test/backend/find.ts";
import { type Jaeger, startJaeger } from "../../test/backend/jaeger.ts";
import type { Span, Under } from "../../test/backend/otlp.ts";
import { startAgent } from "../../test/support/agent.ts";
import { Certificates } from "../../test/support/certificates.ts";
import type { Netns } from "../../test/support/netns.ts";
import {
  forwardTelemetry,
  type Order,
  postgresFolder,
  shopping,
  startDatabase,
  startGateway,
  startStock,
} from "./services.ts";
import { addresses, build } from "./town.ts";
import { waterfall } from "./waterfall.ts";

const PORTS = { gateway: 8080, stock: 8443, database: 5432 } as const;
/** Spans of the kernel inside of an application's trace, worst first. */
const TROUBLE = ["tcp retransmit", "tcp drop", "tcp reset"];

const { values } = parseArgs({
  options: { once: { type: "boolean", default: false }, orders: { type: "string", default: "300" } },
});

function say(text: string): void {
  console.error(`demo: ${text}`);
}

function stop(text: string): never {
  console.error(`demo: ${text}`);
  process.exit(2);
}

/** Builds what is missing of the backends, after saying so. */
function prepare(): string {
  if (process.getuid?.() !== 0) stop("requires root: it makes network namespaces and loads BPF programs");
  const programs = postgresFolder();
  if (!programs) stop("requires PostgreSQL's server programs (Debian: apt-get install postgresql)");
  const missing = (["collector", "jaeger"] as const satisfies BackendName[]).filter(
    (name) => !findBackend(name),
  );
  if (missing.length > 0) {
    say(`building ${missing.join(" and ")} from the Go module proxy: 5 to 15 minutes, once`);
    const tool = join(import.meta.dirname, "../../tools/backends.ts");
    const { status } = spawnSync(process.execPath, [tool, ...missing], { stdio: "inherit" });
    if (status !== 0) stop("that failed; the lines above say why");
  }
  if (!existsSync(join(import.meta.dirname, "node_modules/pg"))) {
    say("installing PostgreSQL's driver for the gateway (npm ci in examples/shop)");
    const npm = ["ci", "--prefix", import.meta.dirname, "--ignore-scripts", "--no-audit", "--no-fund"];
    if (spawnSync("npm", npm, { stdio: "inherit" }).status !== 0)
      stop("that failed; the lines above say why");
  }
  return programs;
}

/** The agent's configuration: everything to the Collector, traces to Jaeger as well. */
function configuration(collector: Collector, jaeger: Jaeger, town: readonly Netns[]): string {
  return stringify({
    version: 1,
    filter: {
      include: { netns: town.map((netns) => String(statSync(netns.path).ino)) },
    },
    exporters: {
      collector: { type: "otlp_grpc", endpoint: collector.grpc },
      jaeger: { type: "otlp_grpc", endpoint: jaeger.grpc, signals: ["traces"] },
    },
  });
}

/** The slowest order in whose trace the kernel reports trouble, with its spans. */
async function worst(jaeger: Jaeger, orders: readonly Order[]): Promise<[Order, Under<Span>[]] | undefined> {
  for (const order of orders.toSorted((a, b) => b.ms - a.ms)) {
    const spans = await jaeger.trace(order.trace);
    if (spans.some(({ item }) => TROUBLE.includes(item.name ?? ""))) return [order, spans];
  }
  return undefined;
}

/** What the kernel retransmitted, by its own counters, beside what is in the traces of orders. */
function account(
  spans: readonly Under<Span>[],
  orders: readonly Order[],
  retransmitted: readonly number[],
): string {
  const traces = new Set(orders.map(({ trace }) => trace));
  const inside = spans.filter(({ item }) => item.name === "tcp retransmit" && traces.has(item.traceId ?? ""));
  const touched = new Set(inside.map(({ item }) => item.traceId)).size;
  const [customers, gateway, stock, database] = retransmitted;
  return (
    `segments retransmitted, by the namespaces' own counters: customers ${customers}, gateway ${gateway}, stock ${stock}, ` +
    `database ${database} (which names no trace); in the traces of ${touched} orders: ${inside.length}`
  );
}

let interrupted = false;

async function main(): Promise<void> {
  const programs = prepare();
  const scratch = mkdtempSync(join(tmpdir(), "wirespan-demo-"));
  await using made = new AsyncDisposableStack();
  made.defer(() => rmSync(scratch, { recursive: true }));
  // Ctrl-C, at any time: what was started ends with the demo.
  process.once("SIGINT", () => {
    interrupted = true;
    const exit = () => process.exit(130);
    made.disposeAsync().then(exit, exit);
  });
  const certificates = new Certificates(scratch);
  certificates.authority("ca");
  certificates.leaf("stock", "ca", `IP:${addresses.stock}`);

  say("starting Jaeger, a Collector and the agent");
  const jaeger = made.use(await startJaeger());
  const collector = made.use(await startCollector());
  const town = made.use(await build({ loss: 29, rate: "20mbit" }));
  const netnses = [town.customers, town.gateway, town.stock, town.database];
  const agent = made.use(await startAgent([], { config: configuration(collector, jaeger, netnses) }));

  say(
    "starting the shop: gateway (Node.js), stock (Python, HTTPS), database (PostgreSQL), each in a namespace of its own",
  );
  const sockets = join(scratch, "otlp.sock");
  made.use(
    await forwardTelemetry([town.customers, town.gateway], sockets, Number(new URL(jaeger.http).port)),
  );
  made.use(await startDatabase(town.database, addresses.database, programs, scratch));
  made.use(await startStock(town.stock, PORTS.stock, scratch));
  const gateway = made.use(
    await startGateway(town.gateway, PORTS.gateway, {
      stock: `https://${addresses.stock}:${PORTS.stock}`,
      database: `postgres://shop@${addresses.database}:${PORTS.database}/postgres`,
      ca: certificates.path("ca.pem"),
    }),
  );

  say(`${values.orders} orders over links that lose one packet in 29`);
  const orders = await shopping(
    town.customers,
    `http://${addresses.gateway}:${PORTS.gateway}`,
    Number(values.orders),
    6,
  );
  // Its last spans leave when it ends.
  await gateway[Symbol.asyncDispose]();
  const retransmitted = await Promise.all(
    netnses.map(async (netns) => (await netns.counters())["Tcp.RetransSegs"] ?? 0),
  );
  // Its last telemetry leaves when it ends.
  const { stderr } = await agent.stop();
  say(account(await collector.spans(), orders, retransmitted));
  const found = await worst(jaeger, orders);
  if (!found)
    throw new Error(`no order has a retransmission in its trace; the agent's log:\n${stderr.join("\n")}`);
  const [order, spans] = found;
  const median = orders.map(({ ms }) => ms).sort((a, b) => a - b)[orders.length >> 1] ?? 0;
  console.log(
    `\ntrace ${order.trace}: ${order.ms.toFixed(0)} ms, where the median of ${orders.length} orders is ${median.toFixed(0)} ms\n`,
  );
  console.log(waterfall(spans));
  if (values.once) return;
  console.log(`\nJaeger answers at ${jaeger.query} until you press Ctrl-C:`);
  console.log(`  curl -s ${jaeger.query}/api/v3/traces/${order.trace}`);
  // Until then.
  await new Promise(() => {});
}

await main().catch((error: unknown) => {
  // What fails then does so because it is being ended.
  if (!interrupted) throw error;
});
