// Traffic with known numbers: from the programs, the kernel's counters, and the interfaces.
import { tmpdir } from "node:os";
import type { Netns, Rule } from "./netns.ts";
import { addresses, type Pair } from "./topology.ts";
import { until } from "./until.ts";
import { type Line, pick, type Running, run, start } from "./workload.ts";

const LOST = 9301;
const LOSSY = 9302;
const FILTERED = 9303;
const HTTP = 9304;

const GOOD = 60;
const LOSSY_COUNT = 10;
export const REFUSALS = 6;
export const TIMEOUTS = 3;
export const RESETS = 5;
export const ACCEPT_ERRORS = 3;
/** An accept queue of backlog 1 accepts two of four connections; the other two get no answer and are abandoned. */
const QUEUED = 2;
export const ABORTED = 2;
/** Frames too large for the other end's interface. */
export const TOO_LARGE = 100;
export const REQUESTS = 3;
/** Connections per second of `steady`, which sends a byte over each. */
export const STEADY_RATE = 40;

/** The results of a round, according to the programs and the firewall. */
export interface Round {
  /** Connections that `pcli` established, and that `psrv` accepted. */
  readonly connected: number;
  readonly accepted: number;
  /** Payload of `pcli`. */
  readonly sent: number;
  readonly received: number;
  /** Seconds from connect() to close() of most of its connections, ascending. */
  readonly lifetimes: readonly number[];
  /** Seconds that its connect() took, ascending. */
  readonly connects: readonly number[];
  /** Packets that rules dropped: arriving at `psrv`, leaving `pcli`. */
  readonly droppedIn: number;
  readonly droppedOut: number;
}

const ascending = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);

/** What lasts through all rounds. */
export interface Background extends AsyncDisposable {
  /** The ports of listeners that have one connection waiting, and none. */
  readonly waiting: number;
  readonly attended: readonly number[];
  /** The limit of the first one's accept queue. */
  readonly backlog: number;
}

/** Connections that stay, a listener that does not accept, one connection after another, and a web server. */
export async function startBackground(net: Pair): Promise<Background> {
  await using made = new AsyncDisposableStack();
  const at = { server: net.b, address: addresses.b };
  const begin = async (...args: Parameters<typeof start>): Promise<Running> => made.use(await start(...args));
  const queued = await begin(net.a, "queued", at);
  const held = await begin(net.a, "held", at);
  const files = { clientFile: "steady", serverFile: "steadysrv" };
  const paced = { ...at, ...files, rate: STEADY_RATE, seconds: 600, limit: 600_000 };
  const steady = await begin(net.a, "paced", paced);
  const web = net.b.spawn("python3", ["-m", "http.server", String(HTTP), "--bind", addresses.b], {
    stdio: "ignore",
    cwd: tmpdir(),
  });
  made.defer(() => void web.kill());
  const listening = await Promise.all([queued, held, steady].map((each) => each.until("listening")));
  await Promise.all([queued, held].map((each) => each.until("opened", "client")));
  const listens = async () => (await net.b.run("ss", "-Hltn", `sport = :${HTTP}`)) !== "";
  await until("the web server", listens);
  const [first, ...others] = listening;
  const owned = made.move();
  return {
    waiting: first!.localPort,
    backlog: first!.backlog,
    attended: others.map(({ localPort }) => localPort),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const url = () => `http://${addresses.b}:${HTTP}/`;

/** Settings before the first round. */
export async function prepare(net: Pair): Promise<void> {
  // With a linear schedule the number of SYNs would vary. Older kernels do not have this sysctl.
  await net.a.run("sysctl", "-eqw", "net.ipv4.tcp_syn_linear_timeouts=0");
  for (const netns of [net.a, net.b]) await netns.sysctl({ "net.ipv6.conf.all.disable_ipv6": 1 });
  await net.a.run("tc", "qdisc", "replace", "dev", "wire0", "root", "tbf", ...SHAPED);
}

/** Every frame passes through this discipline, where a burst has to wait. */
const SHAPED = ["rate", "50mbit", "burst", "3000", "limit", "1000000"];

/**
 * One round of about four seconds. SYNs to one port are lost, and to two others the first data segments: in transit,
 * or before they leave.
 */
export async function round(net: Pair): Promise<Round> {
  const at = { server: net.b, address: addresses.b };
  const lost = await net.b.rule("input", `tcp dport ${LOST}`, "drop");
  const lossy = await net.b.rule("input", data(LOSSY, 5), "drop");
  // The first transmission is lost in transit, the second one does not leave.
  const away = await net.b.rule("input", data(FILTERED, 1), "drop");
  const first = await net.a.rule("output", data(FILTERED, 1), "accept");
  const filtered = await net.a.rule("output", data(FILTERED, 1), "drop");
  const slow = [
    ...Array.from({ length: TIMEOUTS }, () => run(net.a, "attempt", { ...at, port: LOST, synRetries: 1 })),
    run(net.a, "unaccepted", at),
    run(net.a, "clientCloses", { ...at, port: FILTERED }),
    run(net.a, "clientCloses", { ...at, port: LOSSY, count: LOSSY_COUNT, delay: 20 }),
  ];
  const good = await run(net.a, "clientCloses", { ...at, count: GOOD, delay: 20 });
  const resets = await Promise.all(Array.from({ length: RESETS }, () => run(net.a, "reset", at)));
  const said: Line[] = [
    ...good,
    ...resets.flat(),
    ...(await run(net.a, "attempt", { ...at, count: REFUSALS })),
    ...(await run(net.a, "emfile", at)),
  ];
  for (let i = 0; i < REQUESTS; i++) {
    const context = `00-${String(i + 1).padStart(32, "a")}-${String(i + 1).padStart(16, "b")}-01`;
    await net.a.run("curl", "-s", "-o", "/dev/null", "-H", `traceparent: ${context}`, url());
  }
  said.push(...(await Promise.all(slow)).flat());
  await first.remove();
  const dropped = {
    droppedIn: (await countedBy(lost)) + (await countedBy(lossy)) + (await countedBy(away)),
    droppedOut: await countedBy(filtered),
  };
  await net.b.ip("link", "set", "wire0", "mtu", "500");
  const before = await interfaceOf(net.a);
  await run(net.a, "datagrams", { ...at, count: TOO_LARGE, size: 1000 });
  await until(
    "the last frame",
    async () => (await interfaceOf(net.a)).tx.dropped - before.tx.dropped >= TOO_LARGE,
  );
  await net.b.ip("link", "set", "wire0", "mtu", "1500");
  const ends = pick(said, "end", "client");
  const connected = ends.filter(
    ({ index, connectErrno, case: name }) => index >= 0 && connectErrno === 0 && name !== "unaccepted",
  );
  const of = pick(good, "end", "client");
  return {
    ...dropped,
    connected: connected.length + QUEUED,
    accepted: connected.length,
    sent: ends.reduce((sum, { sent }) => sum + sent, 0),
    received: ends.reduce((sum, { received }) => sum + received, 0),
    lifetimes: ascending(of.map(({ startNs, endNs }) => (endNs - startNs) / 1e9)),
    connects: ascending(connected.map(({ startNs, openNs }) => (openNs - startNs) / 1e9)),
  };
}

interface Frames {
  readonly packets: number;
  readonly dropped: number;
}

/** The counters of a namespace's interface. */
export async function interfaceOf(netns: Netns): Promise<Readonly<Record<"tx" | "rx", Frames>>> {
  const text = await netns.ip("-s", "-j", "link", "show", "wire0");
  return (JSON.parse(text) as { stats64: Record<"tx" | "rx", Frames> }[])[0]!.stats64;
}

/** A rule's count when it is removed. */
async function countedBy(rule: Rule): Promise<number> {
  const packets = await rule.packets();
  await rule.remove();
  return packets;
}

/** The first `count` data segments to a port. */
const data = (port: number, count: number) =>
  `tcp dport ${port} tcp flags & psh == psh limit rate 1/day burst ${count} packets`;
