// `npm run demo`: a shop of three services over lossy, slow links, the agent, a Collector and Jaeger; prints the traces of one
// slow order and of three requests that fail, with the kernel's events in them. usage: demo.ts [--once] [--readme] [--orders N]
// --readme: puts the slow order's trace into the project's README.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { postgresFolder } from "../../correlate/node/test/servers.ts";
import { type Collector, startCollector } from "../../test/backend/collector.ts";
import { type BackendName, findBackend } from "../../test/backend/find.ts";
import { type Jaeger, startJaeger } from "../../test/backend/jaeger.ts";
import { attributesOf, type Span, sumOf, type Under } from "../../test/backend/otlp.ts";
import { startAgent } from "../../test/support/agent.ts";
import type { Netns } from "../../test/support/netns.ts";
import { type Asked, installDriver, openShop, shopping } from "./services.ts";
import { build, PORTS } from "./town.ts";
import { waterfall } from "./waterfall.ts";

const LOSS = { requests: 8, answers: 29 } as const;
/** Kernel spans in an application's trace. */
const TROUBLE = ["tcp retransmit", "tcp drop"];

/** By path: what goes wrong there. */
const FAILURES = {
  gift: "nobody listens",
  reviews: "a firewall drops all packets",
  crash: "the service ends the connection before it has answered",
} as const;

const { values } = parseArgs({
  options: {
    once: { type: "boolean", default: false },
    readme: { type: "boolean", default: false },
    orders: { type: "string", default: "300" },
  },
});

type Attributes = ReturnType<typeof attributesOf>;

function say(text: string): void {
  console.error(`demo: ${text}`);
}

function stop(text: string): never {
  console.error(`demo: ${text}`);
  process.exit(2);
}

/** Builds missing backends, after a message that says so. */
function prepare(): void {
  if (process.getuid?.() !== 0) stop("requires root: it makes network namespaces and loads BPF programs");
  if (!postgresFolder()) stop("requires PostgreSQL's server programs (Debian: apt-get install postgresql)");
  const missing = (["collector", "jaeger"] as const satisfies BackendName[]).filter(
    (name) => !findBackend(name),
  );
  if (missing.length > 0) {
    say(`building ${missing.join(" and ")} from the Go module proxy: 5 to 15 minutes, once`);
    const tool = join(import.meta.dirname, "../../tools/backends.ts");
    const { status } = spawnSync(process.execPath, [tool, ...missing], { stdio: "inherit" });
    if (status !== 0) stop("that failed; the lines above say why");
  }
  installDriver(say);
}

/** The agent's configuration: everything goes to the Collector, and traces also to Jaeger. */
function configuration(collector: Collector, jaeger: Jaeger, town: readonly Netns[]): string {
  return stringify({
    version: 1,
    filter: {
      include: { netns: town.map((netns) => String(statSync(netns.path).ino)) },
    },
    plugins: { tcpretrans: { eventRate: 100_000 } },
    exporters: {
      collector: { type: "otlp_grpc", endpoint: collector.grpc },
      jaeger: { type: "otlp_grpc", endpoint: jaeger.grpc, signals: ["traces"] },
    },
  });
}

/** The slowest order whose trace has problems reported by the kernel, with its spans. */
async function worst(jaeger: Jaeger, orders: readonly Asked[]): Promise<[Asked, Under<Span>[]] | undefined> {
  for (const order of orders.toSorted((a, b) => b.ms - a.ms)) {
    const spans = await jaeger.trace(order.trace);
    if (spans.some(({ item }) => TROUBLE.includes(item.name ?? ""))) return [order, spans];
  }
  return undefined;
}

/** The same in a retransmission's event and in its span in a request's trace. */
const keyOf = (of: Attributes) =>
  [of["network.local.port"], of["network.peer.port"], of["wirespan.tcp.sequence"]].join(" ");

const segmentsOf = (events: readonly Attributes[]) =>
  events.reduce((sum, of) => sum + Number(of["wirespan.tcp.segments"]), 0);

/** Every segment that the kernel retransmitted, by its own counters, and where the agent has reported it. */
async function account(
  collector: Collector,
  asked: readonly Asked[],
  retransmitted: readonly number[],
): Promise<string> {
  const traces = new Set(asked.map(({ trace }) => trace));
  const spans = (await collector.spans()).filter(
    ({ item }) => item.name === "tcp retransmit" && traces.has(item.traceId),
  );
  const inTraces = new Set(spans.map(({ item }) => keyOf(attributesOf(item.attributes))));
  const events = (await collector.logs())
    .filter(({ item }) => item.eventName === "wirespan.tcp.retransmit")
    .map(({ item }) => attributesOf(item.attributes));
  const others = events.filter((of) => !inTraces.has(keyOf(of)));
  const ofDatabase = others.filter((of) => Number(of["network.local.port"]) === PORTS.database);
  const suppressed = sumOf(await collector.metrics(), "wirespan.correlate.suppressed");
  const all = retransmitted.reduce((sum, one) => sum + one, 0);
  const [reported, outside] = [segmentsOf(events), segmentsOf(others)];
  const touched = new Set(spans.map(({ item }) => item.traceId)).size;
  const [customers, gateway, stock, database] = retransmitted;
  return (
    `${all} segments retransmitted, by the namespaces' own counters (customers ${customers}, gateway ${gateway}, stock ${stock}, ` +
    `database ${database}): ${reported - outside} in the traces of ${touched} requests, ${suppressed} beyond what a trace shows, ` +
    `${outside - suppressed} of no request (${segmentsOf(ofDatabase)} of the database's, which names no trace), ` +
    `${all - reported} that this kernel showed to no program`
  );
}

/** Between its marks. */
function drawInReadme(text: string): void {
  const file = join(import.meta.dirname, "../../README.md");
  const block = /(<!-- drawn by npm run demo -- --readme -->\n)[\s\S]*?(<!-- \/drawn -->)/;
  const draw = (_: string, begin: string, end: string) => `${begin}\n\`\`\`\n${text}\n\`\`\`\n\n${end}`;
  writeFileSync(file, readFileSync(file, "utf8").replace(block, draw));
}

let interrupted = false;

async function main(): Promise<void> {
  prepare();
  const scratch = mkdtempSync(join(tmpdir(), "wirespan-demo-"));
  await using made = new AsyncDisposableStack();
  made.defer(() => rmSync(scratch, { recursive: true }));
  // On Ctrl-C, at any time, everything that was started ends with the demo.
  process.once("SIGINT", () => {
    interrupted = true;
    const exit = () => process.exit(130);
    made.disposeAsync().then(exit, exit);
  });
  say("starting Jaeger, a Collector and the agent");
  const jaeger = made.use(await startJaeger());
  const collector = made.use(await startCollector());
  const town = made.use(await build({ loss: LOSS, rate: "20mbit" }));
  const netnses = [town.customers, town.gateway, town.stock, town.database];
  const agent = made.use(await startAgent([], { config: configuration(collector, jaeger, netnses) }));

  say(
    "starting the shop: gateway (Node.js), stock (Python, HTTPS), database (PostgreSQL), each in a namespace of its own",
  );
  const shop = made.use(await openShop(town, { scratch, otlp: Number(new URL(jaeger.http).port) }));

  say(
    `${values.orders} orders over links that lose one request in ${LOSS.requests}, and of an answer one packet in ${LOSS.answers}; ` +
      "10 requests for a service that does not run, 3 for one behind a firewall, and one for one that crashes",
  );
  const wishes = { orders: Number(values.orders), connections: 6, gifts: 10, reviews: 3 };
  const asked = await shopping(town.customers, wishes);
  await shop[Symbol.asyncDispose]();
  // Connections outlive their programs, and may still retransmit.
  for (const netns of netnses) await netns.settled();
  const retransmitted = await Promise.all(
    netnses.map(async (netns) => (await netns.counters())["Tcp.RetransSegs"] ?? 0),
  );
  // Its last telemetry leaves when it ends.
  const { stderr } = await agent.stop();
  say(await account(collector, asked, retransmitted));
  const orders = asked.filter(({ path }) => path === "order");
  const found = await worst(jaeger, orders);
  if (!found)
    throw new Error(`no order has a retransmission in its trace; the agent's log:\n${stderr.join("\n")}`);
  const [order, spans] = found;
  const median = orders.map(({ ms }) => ms).sort((a, b) => a - b)[orders.length >> 1] ?? 0;
  console.log(
    `\ntrace ${order.trace}: ${order.ms.toFixed(0)} ms, where the median of ${orders.length} orders is ${median.toFixed(0)} ms\n`,
  );
  console.log(waterfall(spans));
  if (values.readme) drawInReadme(waterfall(spans));
  for (const [path, what] of Object.entries(FAILURES)) {
    const { trace } = asked.find((one) => one.path === path)!;
    console.log(`\ntrace ${trace}: ${what}\n\n${waterfall(await jaeger.trace(trace))}`);
  }
  if (values.once || values.readme) return;
  console.log(`\nJaeger answers at ${jaeger.query} until you press Ctrl-C:`);
  console.log(`  curl -s ${jaeger.query}/api/v3/traces/${order.trace}`);
  // Until then.
  await new Promise(() => {});
}

await main().catch((error: unknown) => {
  // From here on, failures are caused by stopping.
  if (!interrupted) throw error;
});
