// Parents of spans: a parent is set only if it is exported, whatever filters and plugins exclude.
import assert from "node:assert/strict";
import { inodeOf } from "../support/connection-ends.ts";
import { type Kept, type Watch, watch } from "../support/engine.ts";
import { needsRoot } from "../support/netns.ts";
import { addresses, type Pair, pair } from "../support/topology.ts";
import { build, run, start } from "../support/workload.ts";

type Settings = Readonly<Record<string, string>>;

const PLUGINS = ["tcplife", "tcpconnect", "tcpconnlat", "tcpaccept"];
const PORT = 7201;
const REFUSING = 7209;
const COUNT = 5;
const CLIENT = { address: addresses.b, count: COUNT, uid: 65534 };
/** A tracepoint accepts 64 programs. */
const AT_ONCE = 6;

/** `C`, `O`: the opener's handshake and connection; `Q`, `A`: the acceptor's; `c`, `o`: of an attempt that failed. */
function letter({ name, attributes }: Kept): string {
  if (attributes["network.peer.port"] === REFUSING) return name === "tcp connect" ? "c" : "o";
  if (name !== "tcp connection") return name === "tcp connect" ? "C" : "Q";
  return attributes["wirespan.connection.direction"] === "outbound" ? "O" : "A";
}

const inside = (seen: Watch, net: Pair): readonly Kept[] =>
  seen.spans.filter(({ attributes }) =>
    [inodeOf(net.a), inodeOf(net.b)].includes(attributes["wirespan.netns.inode"] as number),
  );

/** How often each kind of span had which parent; `-`: none, `?`: one that was not sent. */
function edges(spans: readonly Kept[]): string {
  const known = new Map(spans.map((span) => [span.traceId + span.spanId, span]));
  const counts = new Map<string, number>();
  for (const span of spans) {
    const parent = span.parentSpanId && known.get(span.traceId + span.parentSpanId);
    const edge = `${letter(span)}:${parent ? letter(parent) : span.parentSpanId ? "?" : "-"}`;
    counts.set(edge, (counts.get(edge) ?? 0) + 1);
  }
  return [...counts]
    .map(([edge, count]) => (count === COUNT ? edge : `${edge}*${count}`))
    .sort()
    .join(" ");
}

interface Case {
  readonly settings: Settings;
  readonly plugins?: readonly string[];
  readonly expected: string;
}

const ALL = "A:O C:O O:- Q:A c:o o:-";
const OPENER = "C:O O:- c:o o:-";
const ACCEPTOR = "A:- Q:A";

function cases({ a, b }: Pair): Readonly<Record<string, Case>> {
  const by = (path: string, value: string, expected: string) =>
    [`${path} ${value}`, { settings: { [path]: value }, expected }] as const;
  const life = "plugins.tcplife.filter";
  return {
    ...Object.fromEntries([
      by("filter.include.localPort", String(PORT), ACCEPTOR),
      by("filter.exclude.remotePort", `${PORT},${REFUSING}`, ACCEPTOR),
      by("filter.include.direction", "inbound", ACCEPTOR),
      by("filter.include.direction", "outbound", OPENER),
      by("filter.include.netns", String(inodeOf(a)), OPENER),
      by("filter.include.netns", String(inodeOf(b)), ACCEPTOR),
      by("filter.exclude.netns", String(inodeOf(a)), ACCEPTOR),
      by("filter.include.localAddress", addresses.b, ACCEPTOR),
      by("filter.exclude.family", "ipv4", ""),
      by("filter.include.uid", "65534", OPENER),
      by("filter.include.comm", "pcli", OPENER),
      // The accepting process may differ from the serving one: as long as that is possible, the acceptor's span is not
      // certain.
      by("filter.include.comm", "psrv", "A:- Q:-"),
      by("filter.exclude.uid", "65534", "A:- Q:-"),
      by("filter.failuresOnly", "true", "c:o o:-"),
      by("filter.minDuration", "30s", ""),
      by(`${life}.include.localPort`, String(PORT), "A:- C:- Q:A c:-"),
      by(`${life}.include.direction`, "inbound", "A:- C:- Q:A c:-"),
      by(`${life}.include.direction`, "outbound", "C:O O:- Q:- c:o o:-"),
      by(`${life}.failuresOnly`, "true", "C:- Q:- c:o o:-"),
      by(`${life}.minDuration`, "30s", "C:- Q:- c:-"),
      // They last longer, which is only known at their end.
      by(`${life}.minDuration`, "30ms", "A:- C:- O:- Q:- c:-"),
      by("plugins.tcpaccept.filter.include.direction", "outbound", "A:O C:O O:- c:o o:-"),
    ]),
    "no filter": { settings: {}, expected: ALL },
    "no plugin for connections": {
      settings: {},
      plugins: ["tcpconnect", "tcpaccept"],
      expected: "C:- Q:- c:-",
    },
    "no plugin for handshakes": { settings: {}, plugins: ["tcplife"], expected: "A:O O:- o:-" },
    "only what was established": { settings: {}, plugins: ["tcptracer"], expected: "A:O C:O O:- Q:A" },
  };
}

describe("parents", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  it("are set only if they are exported", async () => {
    await using net = await pair();
    const base = { "ring.core": "64KiB", "filter.include.netns": `${inodeOf(net.a)},${inodeOf(net.b)}` };
    const all = Object.entries(cases(net));
    const found: string[] = [];
    while (found.length < all.length) {
      await using cleanup = new AsyncDisposableStack();
      const some: (readonly [name: string, seen: Watch])[] = [];
      const whole = cleanup.use(await watch(PLUGINS, base));
      for (const [name, { plugins, settings }] of all.slice(found.length, found.length + AT_ONCE))
        some.push([name, cleanup.use(await watch(plugins ?? PLUGINS, { ...base, ...settings }))]);
      await run(net.a, "clientCloses", { ...CLIENT, server: net.b, port: PORT });
      await run(net.a, "attempt", { ...CLIENT, port: REFUSING });
      await whole.until("all spans", () => inside(whole, net).length >= ALL.split(" ").length * COUNT);
      for (const [name, seen] of some) {
        seen.engine.drain();
        found.push(`${name}: ${edges(inside(seen, net))}`);
      }
    }
    assert.deepEqual(
      found,
      all.map(([name, { expected }]) => `${name}: ${expected}`),
    );
  });

  it("are never spans from before the agent, nor of attempts that never changed a state", async () => {
    await using net = await pair();
    const options = { address: addresses.b, server: net.b, port: PORT };
    await using held = await start(net.a, "held", { ...options, up: 10, later: 20, down: 30 });
    await using own = await start(net.a, "held", { port: PORT + 1, up: 10, later: 20, down: 30 });
    for (const running of [held, own]) await running.until("opened");
    await using seen = await watch(PLUGINS, {
      "plugins.tcpconnect.failedAtOnce": "true",
      "filter.include.netns": `${inodeOf(net.a)},${inodeOf(net.b)}`,
    });
    for (const running of [held, own]) {
      running.goOn();
      await running.done();
    }
    await net.a.ip("route", "add", "unreachable", "10.99.0.0/16");
    await run(net.a, "attempt", { address: "10.99.0.1", port: REFUSING });
    await seen.until("five spans", () => inside(seen, net).length >= 5);
    assert.equal(edges(inside(seen, net)), "A:-*2 O:-*2 c:-*1");
  });
});

describe("the status of a failure", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  /** `name status kind` of the spans of one attempt that is refused. */
  async function refused(plugins: readonly string[], settings: Settings = {}): Promise<readonly string[]> {
    await using net = await pair();
    await using seen = await watch(plugins, {
      "filter.include.netns": String(inodeOf(net.a)),
      "spans.kind": "client-server",
      ...settings,
    });
    await run(net.a, "attempt", { address: addresses.b, port: REFUSING });
    const wanted = plugins.length;
    await seen.until("its spans", () => inside(seen, net).length >= wanted);
    for (const { attributes } of inside(seen, net))
      assert.equal(attributes["error.type"], "connection_refused");
    return inside(seen, net)
      .map(({ name, error, kind }) => `${name} ${error ?? "unset"} ${kind}`)
      .toSorted();
  }

  it("is on one span, the client's", async () => {
    assert.deepEqual(await refused(["tcplife", "tcpconnect"]), [
      "tcp connect connection_refused client",
      "tcp connection unset internal",
    ]);
    assert.deepEqual(await refused(["tcplife"]), ["tcp connection connection_refused client"]);
    assert.deepEqual(await refused(["tcpconnect"]), ["tcp connect connection_refused client"]);
    assert.deepEqual(await refused(["tcplife", "tcpconnect"], { "spans.kind": "internal" }), [
      "tcp connect connection_refused internal",
      "tcp connection unset internal",
    ]);
  });

  it("is on the acceptor's handshake if the connection was never accepted", async () => {
    await using net = await pair();
    await using seen = await watch(["tcplife", "tcpaccept"], {
      "filter.include.netns": String(inodeOf(net.b)),
      "spans.kind": "client-server",
    });
    await run(net.a, "unaccepted", { address: addresses.b, server: net.b, count: 1 });
    await seen.until("its spans", () => inside(seen, net).length >= 2);
    const spans = inside(seen, net).map(({ name, error, kind }) => `${name} ${error ?? "unset"} ${kind}`);
    assert.deepEqual(spans.toSorted(), ["tcp accept never_accepted server", "tcp connection unset internal"]);
  });

  it("leaves one client and one server span to an accepted connection", async () => {
    await using net = await pair();
    const only = { "filter.include.netns": `${inodeOf(net.a)},${inodeOf(net.b)}` };
    await using seen = await watch(PLUGINS, { ...only, "spans.kind": "client-server" });
    await using without = await watch(["tcpconnect", "tcpaccept"], {
      ...only,
      "spans.kind": "client-server",
    });
    await run(net.a, "clientCloses", { server: net.b, address: addresses.b, port: PORT });
    await seen.until("four spans", () => inside(seen, net).length >= 4);
    await without.until("two spans", () => inside(without, net).length >= 2);
    const kinds = (watched: Watch) => inside(watched, net).map((span) => `${letter(span)} ${span.kind}`);
    assert.deepEqual(kinds(seen).toSorted(), ["A server", "C internal", "O client", "Q internal"]);
    assert.deepEqual(kinds(without).toSorted(), ["C client", "Q server"]);
    for (const { attributes } of inside(seen, net)) {
      assert.deepEqual([attributes["server.address"], attributes["server.port"]], [addresses.b, PORT]);
    }
  });
});
