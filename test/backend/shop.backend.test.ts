// The shop of `npm run demo` over lossy links: whatever was retransmitted of a request or its response is in the
// request's own trace, in a real Jaeger, and nowhere else. Oracles: the byte ranges that clients and servers log, and
// the segments on the wire.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { postgresFolder } from "../../correlate/node/test/servers.ts";
import { type Asked, type Beside, installDriver, openShop, shopping } from "../../examples/shop/services.ts";
import { addresses, build, PORTS, type Town } from "../../examples/shop/town.ts";
import { startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { linesOf } from "../support/http.ts";
import { size } from "../support/long.ts";
import { type Account, goClient, judge, lossFolder, type Range, tap, witness } from "../support/loss.ts";
import { type Netns, needsRoot } from "../support/netns.ts";
import { skip } from "../support/skip.ts";
import { startCollector } from "./collector.ts";
import { needBackends } from "./find.ts";
import { type Jaeger, startJaeger, WARNINGS } from "./jaeger.ts";
import { attributesOf, type Span, sumOf, type Under } from "./otlp.ts";

const REQUESTS = size(24, 300);
/** Requests with retransmissions, of each client, in each direction over each protocol. */
const AT_LEAST = size(1, 30);
const GIFTS = 10;
const REVIEWS = 3;
const CONNECTIONS = 4;
const LOSS = { requests: 7, answers: 40 } as const;
const SERVICES = { [PORTS.gateway]: "HTTP", [PORTS.stock]: "HTTPS" } as const;

type Client = "node" | "python" | "go";

/** A request of a client without an SDK, for which this is the span. Times are nanoseconds. */
interface Request extends Range {
  readonly start: string;
  readonly end: string;
}

const lines = <T>(text: string): T[] =>
  text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);

/** The OTLP export for requests whose client has no SDK. */
function spansOf(service: string, requests: readonly Request[]): string {
  const attributes = Object.entries({
    "service.name": service,
    "host.id": readFileSync("/etc/machine-id", "utf8").trim(),
    "host.name": hostname(),
  }).map(([key, stringValue]) => ({ key, value: { stringValue } }));
  const spans = requests.map(({ traceparent, start, end }) => {
    const [, traceId, spanId] = traceparent.split("-");
    return { ...{ traceId, spanId, name: "GET", kind: 3 }, startTimeUnixNano: start, endTimeUnixNano: end };
  });
  return JSON.stringify({
    resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope: { name: service }, spans }] }],
  });
}

async function inBatches<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < all.length; at += 8)
    results.push(...(await Promise.all(all.slice(at, at + 8).map(work))));
  return results;
}

describe("a shop over lossy links", function () {
  this.timeout(600_000);
  let scratch: string;
  let ranges: Readonly<Record<Client, readonly Range[]>>;
  let asked: readonly Asked[];
  let traces: ReadonlyMap<string, readonly Under<Span>[]>;
  let account: Account;
  let segments: number;
  let reported: {
    readonly retransmits: number;
    readonly suppressed: number;
    /** How often messages were shown to no program. */
    readonly unseen: number;
    readonly spans: readonly Under<Span>[];
  };
  const faults: Record<"v3" | "connections" | "skew" | "others", string[]> = {
    v3: [],
    connections: [],
    skew: [],
    others: [],
  };

  before(async function () {
    needsRoot(this);
    needBackends(this, "jaeger", "collector");
    if (!postgresFolder()) skip(this, "no PostgreSQL's server programs on this machine");
    if (spawnSync("go", ["version"]).status !== 0) skip(this, "no go on this machine");
    installDriver();
    scratch = mkdtempSync(join(tmpdir(), "wirespan-shop-"));
    await shop();
  });

  after(() => {
    if (scratch) rmSync(scratch, { recursive: true });
  });

  /** Requests of a client without an SDK. */
  async function run(
    netns: Netns,
    client: Exclude<Client, "node">,
    url: string,
  ): Promise<readonly Request[]> {
    const words = [url, CONNECTIONS, REQUESTS / CONNECTIONS, join(scratch, "ca.pem")].map(String);
    const command = client === "go" ? [await goClient()] : ["python3", "-B", `${lossFolder}client.py`];
    const env = { PYTHONPATH: join(lossFolder, "../../correlate/python") };
    return (await linesOf(netns, [...command, ...words], env)).map((line) => JSON.parse(line) as Request);
  }

  /** The requests of each client. */
  async function shopped(town: Town, jaeger: Jaeger, beside: Beside): Promise<void> {
    const wishes = { orders: REQUESTS, connections: CONNECTIONS, gifts: GIFTS, reviews: REVIEWS };
    asked = await shopping(town.customers, wishes, beside);
    const all: Record<string, readonly Range[]> = {};
    for (const client of ["python", "go"] as const) {
      const http = await run(
        town.customers,
        client,
        `http://${addresses.gateway}:${PORTS.gateway}/order?item=1`,
      );
      const https = await run(town.gateway, client, `https://${addresses.stock}:${PORTS.stock}/stock/1`);
      all[client] = [...http, ...https];
      const body = spansOf(client, [...http, ...https]);
      const { ok } = await fetch(`${jaeger.http}/v1/traces`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      assert.ok(ok);
    }
    ranges = { node: [], python: all.python!, go: all.go! };
  }

  async function shop(): Promise<void> {
    await using jaeger = await startJaeger();
    await using collector = await startCollector();
    await using town = await build({ loss: LOSS, rate: "100mbit" });
    const netnses = [town.customers, town.gateway, town.stock, town.database];
    await using agent = await startAgent([], {
      config: `version: 1
filter: { include: { netns: [${netnses.map((netns) => `"${inodeOf(netns)}"`).join(", ")}] } }
control: { socket: "" }
correlate: { rate: 100000 }
exporters:
  collector: { type: otlp_grpc, endpoint: "${collector.grpc}" }
  jaeger: { type: otlp_grpc, endpoint: "${jaeger.grpc}", signals: [traces] }
`,
    });
    const file = join(scratch, "ranges");
    const beside = {
      node: `${lossFolder}ranges.ts`,
      python: `${lossFolder}ranged.py`,
      env: { RANGES: file },
    };
    const witnessed = await witness();
    const taps = await Promise.all(netnses.map(tap));
    const open = await openShop(town, { scratch, otlp: Number(new URL(jaeger.http).port), beside });
    await shopped(town, jaeger, beside);
    await open[Symbol.asyncDispose]();
    for (const netns of netnses) await netns.settled();
    const counters = await Promise.all(netnses.map((netns) => netns.counters()));
    segments = counters.reduce((sum, each) => sum + (each["Tcp.RetransSegs"] ?? 0), 0);
    const again = (await Promise.all(taps.map((one) => one.stop()))).flat();
    const shown = witnessed.stop();
    assert.equal((await agent.stop()).code, 0);
    ranges = { ...ranges, node: lines<Range>(readFileSync(file, "utf8")) };
    const metrics = await collector.metrics();
    reported = {
      retransmits: sumOf(metrics, "wirespan.tcp.retransmits"),
      suppressed: sumOf(metrics, "wirespan.correlate.suppressed"),
      unseen: sumOf(metrics, "wirespan.correlate.unread", { "error.type": "unseen" }),
      spans: await collector.spans(),
    };
    await readTraces(jaeger);
    const spans = [...traces.values()].flat().flatMap(({ item }) => {
      const { name, attributes } = item;
      return name === "tcp retransmit" ? [{ ...item, attributes: attributesOf(attributes) }] : [];
    });
    account = judge(again, Object.values(ranges).flat(), spans, shown);
    assert.equal(again.length, segments, "the taps have seen all");
  }

  /** The traces of all requests, with Jaeger's warnings about them and about those of connections. */
  async function readTraces(jaeger: Jaeger): Promise<void> {
    const own = new Set(
      Object.values(ranges)
        .flat()
        .map(({ traceparent }) => traceparent.slice(3, 35)),
    );
    for (const { trace } of asked) own.add(trace);
    const connections = new Set(
      reported.spans.flatMap(({ item }) => (item.name === "tcp connection" ? [item.traceId] : [])),
    );
    const found = await inBatches(
      [...own, ...connections],
      async (id) => [id, await jaeger.trace(id), await jaeger.shownTrace(id)] as const,
    );
    for (const [id, spans, shown] of found) {
      const byId = new Map(spans.map(({ item, scope }) => [item.spanId, { ...item, scope }]));
      for (const { item } of spans)
        if (item.attributes?.some(({ key }) => key === WARNINGS)) faults.v3.push(`${id} ${item.name}`);
      for (const { spanID, warnings } of shown?.spans ?? []) {
        const span = byId.get(spanID)!;
        // Warnings about the applications' own spans are not caused by us.
        if (!span.scope.startsWith("wirespan.")) continue;
        const parent = byId.get(span.parentSpanId ?? "");
        const isLate = parent && span.endTimeUnixNano > parent.endTimeUnixNano;
        for (const warning of warnings ?? []) {
          const isSkew = isLate && /^clock skew/.test(warning);
          faults[connections.has(id) ? "connections" : isSkew ? "skew" : "others"].push(
            `${id} ${span.name}: ${warning}`,
          );
        }
      }
    }
    traces = new Map(found.flatMap(([id, spans]) => (own.has(id) ? [[id, spans] as const] : [])));
  }

  it("has every retransmission of a request or a response in the request's own trace, and in no other", () => {
    console.log(
      `      ${segments} segments: ${account.exact} exact, ${account.unranged.length} of queries, ${account.missing.length} missing, ${account.outside} outside, ${account.unshown} not shown by the kernel, ${account.hidden} of messages that were not; ${reported.suppressed} suppressed, ${reported.unseen} messages unseen`,
    );
    assert.deepEqual(account.wrong, []);
    assert.deepEqual(account.unseen, []);
    assert.equal(account.missing.length, reported.suppressed, JSON.stringify(account.missing));
    // Events that the kernel does not show are counted.
    assert.ok(reported.unseen > 0 || account.hiddenLater === 0, `${account.hiddenLater} segments`);
    // The database driver logs no ranges: only the span and the service can be checked here.
    for (const { segment, span } of account.unranged) {
      const parent = traces.get(span.traceId)?.find(({ item }) => item.spanId === span.parentSpanId);
      assert.deepEqual([segment.peer, parent?.item.name], [PORTS.database, "SELECT items"]);
    }
  });

  it("has each kernel span below a request of the same connection, linked to no span of its own trace", () => {
    const own = reported.spans.filter(({ scope }) => scope.startsWith("wirespan."));
    const ids = own.map(({ item }) => item.traceId + item.spanId);
    assert.equal(new Set(ids).size, ids.length, "each id once");
    for (const { item } of own)
      for (const link of item.links ?? []) assert.notEqual(link.traceId, item.traceId);
    const requests = Map.groupBy(Object.values(ranges).flat(), ({ port, service }) => `${port}-${service}`);
    const inTrace = own.flatMap(({ item }) => {
      const attributes = attributesOf(item.attributes);
      if (!attributes["wirespan.context.source"]) return [];
      const [local, peer] = [attributes["network.local.port"], attributes["network.peer.port"]].map(Number);
      const all = requests.get(`${local}-${peer}`) ?? requests.get(`${peer}-${local}`);
      return all ? [{ item, all }] : [];
    });
    assert.ok(inTrace.length > account.exact, `${inTrace.length} spans`);
    for (const { item, all } of inTrace) {
      const id = `${item.traceId}-${item.parentSpanId}`;
      assert.ok(
        all.some(({ traceparent }) => traceparent.slice(3, 52) === id),
        `${item.name} of ${id}`,
      );
    }
  });

  for (const client of ["node", "python", "go"] as const) {
    for (const [service, protocol] of Object.entries(SERVICES)) {
      it(`has retransmissions of ${client}'s requests over ${protocol}, and of their responses, in their traces`, () => {
        const mine = new Set(
          ranges[client]
            .filter((r) => r.side === "client" && r.service === Number(service))
            .map(({ traceparent }) => traceparent),
        );
        const counts = (["client", "server"] as const).map(
          (side) => [...(account.seen.get(`${side} ${service}`) ?? [])].filter((t) => mine.has(t)).length,
        );
        console.log(`      of ${mine.size}: ${counts[0]} requests, ${counts[1]} answers`);
        assert.ok(mine.size >= REQUESTS);
        for (const count of counts) assert.ok(count >= AT_LEAST, `${count}`);
      });
    }
  }

  it("has as many retransmissions as the kernel's counters: in traces, suppressed, and of no request", () => {
    assert.equal(reported.retransmits, segments - account.unshown);
    const { exact, unranged, missing, hidden, outside, unshown } = account;
    assert.equal(exact + unranged.length + missing.length + hidden + outside + unshown, segments);
  });

  for (const [path, name, error, count] of [
    ["gift", "tcp connect", "connection_refused", GIFTS],
    ["reviews", "tcp connect", "timed_out", REVIEWS],
    ["crash", "tcp reset", "connection_reset", 1],
  ] as const) {
    it(`has ${count} × ${name} ${error} in the traces of affected requests, below the client's span`, () => {
      const all = asked.filter((one) => one.path === path).map(({ trace }) => traces.get(trace)!);
      assert.equal(all.length, count);
      for (const spans of all) {
        const failed = spans.filter(
          ({ item }) => attributesOf(item.attributes)["error.type"] === error && item.name === name,
        );
        assert.equal(failed.length, 1, spans.map(({ item }) => item.name).join());
        const parent = spans.find(({ item }) => item.spanId === failed[0]!.item.parentSpanId);
        assert.deepEqual([parent?.resource["service.name"], parent?.item.kind], ["gateway", 3]);
      }
    });
  }

  it("causes no warnings in Jaeger, except in its pages for children that end after a rounded end", () => {
    console.log(`      ${faults.skew.length} warnings of skew`);
    assert.deepEqual([faults.v3, faults.connections, faults.others], [[], [], []]);
  });
});
