// tcpsubnet with real connections, compared with what their programs and the kernel report.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { AnyAttributes, Metric } from "../../core/plugin/signals.ts";
import { startAgent } from "../../test/support/agent.ts";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { type Watch, watch } from "../../test/support/engine.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { addresses, pair } from "../../test/support/topology.ts";
import { build, one, run, start } from "../../test/support/workload.ts";

const nothing = { sent: 0, received: 0, outbound: 0, inbound: 0, retransmits: 0 };
/** A busy machine retransmits segments that were only late, and then drops duplicates: drops are tested separately. */
const noDrops = { lostOut: 0, lostIn: 0 };
type Sums = typeof nothing;

function settingsOf(subnets: readonly string[], ...namespaces: readonly Netns[]): Record<string, string> {
  return {
    "plugins.tcpsubnet.subnets": subnets.join(","),
    "plugins.tcpsubnet.filter.include.netns": namespaces.map(inodeOf).join(","),
  };
}

/** An engine with one list of subnets that observes only the sockets of some namespaces. */
function watchSubnets(subnets: readonly string[], ...namespaces: readonly Netns[]): Promise<Watch> {
  return watch(["tcpsubnet"], settingsOf(subnets, ...namespaces));
}

/** The sums by subnet, as of now. */
async function sums(watched: Watch): Promise<Readonly<Record<string, Sums>>> {
  return sumsOf(await watched.collect());
}

async function drops(watched: Watch): Promise<Readonly<Record<string, typeof noDrops>>> {
  return byName(noDrops, (await watched.collect()).filter(isDrops));
}

function sumsOf(metrics: readonly Metric[]): Readonly<Record<string, Sums>> {
  return byName(
    nothing,
    metrics.filter((metric) => !isDrops(metric)),
  );
}

const isDrops = ({ spec }: Metric): boolean => spec.name === "wirespan.tcp.subnet.packet.dropped";

function byName<T extends Record<string, number>>(none: T, metrics: readonly Metric[]): Record<string, T> {
  const found: Record<string, T> = {};
  for (const { spec, points } of metrics) {
    for (const { attributes, value } of points) {
      const name = String(attributes["wirespan.subnet.name"]);
      found[name] = { ...(found[name] ?? none), [keyOf(spec.name, attributes)]: value };
    }
  }
  return found;
}

function keyOf(metric: string, attributes: AnyAttributes): keyof Sums | keyof typeof noDrops {
  if (metric === "wirespan.tcp.subnet.retransmits") return "retransmits";
  if (metric === "wirespan.tcp.subnet.connections") {
    return attributes["wirespan.connection.direction"] === "inbound" ? "inbound" : "outbound";
  }
  const transmit = attributes["network.io.direction"] === "transmit";
  if (metric === "wirespan.tcp.subnet.packet.dropped") return transmit ? "lostOut" : "lostIn";
  return transmit ? "sent" : "received";
}

/** The last acknowledgement may still be in flight when the programs have ended, so the sums may be late, but never too high. */
async function assertSums(watched: Watch, expected: Readonly<Record<string, Sums>>): Promise<void> {
  for (const end = performance.now() + 5000; performance.now() < end; await delay(20)) {
    try {
      assert.deepEqual(await sums(watched), expected);
      break;
    } catch {
      // checked again
    }
  }
  await delay(50);
  assert.deepEqual(await sums(watched), expected);
}

describe("tcpsubnet", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  it("counts by the longest prefix: IPv4, IPv6 and IPv4 through IPv6 sockets, both ways", async () => {
    await using net = await pair();
    await net.b.ip("address", "add", "10.213.1.2/24", "dev", "wire0");
    await net.a.ip("route", "add", "10.213.1.0/24", "dev", "wire0");
    const list = ["10.213.0.0/16=site", "10.213.0.0/25=rack", "10.213.1.0/24", "fd13::/64=six", "::/0"];
    await using watched = await watchSubnets(list, net.a);
    const server = net.b;
    await run(net.a, "clientCloses", { address: addresses.b, server, up: 1000, down: 500 });
    await run(net.a, "clientCloses", { address: "10.213.1.2", server, up: 2000, down: 600 });
    await run(net.a, "clientCloses", { address: addresses.b6, server, up: 4000, down: 700 });
    await run(net.a, "clientCloses", {
      address: `::ffff:${addresses.b}`,
      listen: "::",
      server,
      up: 8000,
      down: 800,
    });
    await assertSums(watched, {
      site: nothing,
      rack: { ...nothing, sent: 9000, received: 1300, outbound: 2 },
      "10.213.1.0/24": { ...nothing, sent: 2000, received: 600, outbound: 1 },
      six: { ...nothing, sent: 4000, received: 700, outbound: 1 },
      "::/0": nothing,
    });
  });

  it("counts each end by its peer's subnet, and peers in no subnet as other", async () => {
    await using net = await pair();
    await using watched = await watchSubnets([`${addresses.a}=client`], net.a, net.b);
    await run(net.a, "clientCloses", { address: addresses.b, server: net.b, up: 10, down: 20, count: 3 });
    await assertSums(watched, {
      client: { ...nothing, sent: 60, received: 30, inbound: 3 },
      other: { ...nothing, sent: 30, received: 60, outbound: 3 },
    });
  });

  it("does not count what was refused: 20 sends of 1 MB that would block, a file, peeks and splices", async () => {
    await using net = await pair();
    await using watched = await watchSubnets(
      [`${addresses.a}=client`, `${addresses.b}=server`],
      net.a,
      net.b,
    );
    const lines = await run(net.a, "bytes", { address: addresses.b, server: net.b, size: 1_000_000 });
    const client = one(lines, "end", "client");
    assert.ok(one(lines, "sends").asked > client.sent);
    await assertSums(watched, {
      client: { ...nothing, sent: client.received, received: client.sent, inbound: 1 },
      server: { ...nothing, sent: client.sent, received: client.received, outbound: 1 },
    });
  });

  it("counts an open connection continuously, and nothing twice when it ends", async () => {
    await using net = await pair();
    await using watched = await watchSubnets(["0.0.0.0/0=all"], net.a);
    const options = { address: addresses.b, server: net.b, up: 100, later: 200, down: 30 };
    await using held = await start(net.a, "held", options);
    await held.until("opened");
    await assertSums(watched, { all: { ...nothing, sent: 100, outbound: 1 } });
    held.goOn();
    await held.done();
    await assertSums(watched, { all: { ...nothing, sent: 300, received: 30, outbound: 1 } });
  });

  it("does not count traffic from before its start", async () => {
    await using net = await pair();
    const options = { address: addresses.b, server: net.b, up: 100, later: 200, down: 30 };
    await using held = await start(net.a, "held", options);
    await held.until("opened");
    await using watched = await watchSubnets(["0.0.0.0/0=all"], net.a);
    await assertSums(watched, { all: nothing });
    held.goOn();
    await held.done();
    await assertSums(watched, { all: { ...nothing, sent: 200, received: 30 } });
  });

  it("loses and repeats nothing when the list changes while a connection is open", async () => {
    await using net = await pair();
    await using watched = await watchSubnets(["10.0.0.0/8=old"], net.a);
    const options = { address: addresses.b, server: net.b, up: 100, later: 200, down: 30 };
    await using held = await start(net.a, "held", options);
    await held.until("opened");
    await assertSums(watched, { old: { ...nothing, sent: 100, outbound: 1 } });
    await using unseen = await start(net.a, "held", { ...options, up: 7 });
    await unseen.until("opened");
    await watched.reload(settingsOf(["10.0.0.0/8=new", "fd13::/16=six"], net.a));
    assert.deepEqual(sumsOf(watched.ended), { old: { ...nothing, sent: 107, outbound: 2 } });
    for (const work of [held, unseen]) {
      work.goOn();
      await work.done();
    }
    await assertSums(watched, { new: { ...nothing, sent: 400, received: 60 }, six: nothing });
  });

  it("starts at zero for connections that a change of the filter includes", async () => {
    await using net = await pair();
    await using other = await Netns.create();
    await using watched = await watchSubnets(["10.0.0.0/8=all"], other);
    const options = { address: addresses.b, server: net.b, up: 100, later: 200, down: 30 };
    await using held = await start(net.a, "held", options);
    await held.until("opened");
    await watched.reload(settingsOf(["10.0.0.0/8=all"], net.a));
    await assertSums(watched, { all: nothing });
    held.goOn();
    await held.done();
    await assertSums(watched, { all: { ...nothing, sent: 200, received: 30 } });
  });

  it("counts as many retransmits as the namespace does", async () => {
    await using net = await pair();
    await using watched = await watchSubnets(["0.0.0.0/0=all"], net.a);
    const options = { address: addresses.b, server: net.b, up: 1000, later: 2000 };
    await using held = await start(net.a, "held", options);
    const opened = await held.until("opened");
    const before = (await net.a.counters())["Tcp.RetransSegs"] ?? 0;
    const retransmits = async () => ((await net.a.counters())["Tcp.RetransSegs"] ?? 0) - before;
    const rule = await net.b.rule("input", `tcp sport ${opened.localPort}`, "drop");
    held.goOn();
    while ((await retransmits()) < 3) await delay(50);
    await rule.remove();
    await held.done();
    const all = { ...nothing, sent: 3000, outbound: 1, retransmits: await retransmits() };
    await assertSums(watched, { all });
  });

  it("counts as many drops as the dropping rules, by the peer's subnet, and refused SYNs", async () => {
    await using net = await pair();
    await using watched = await watchSubnets(
      [`${addresses.a}=client`, `${addresses.b}=server`],
      net.a,
      net.b,
    );
    const options = { address: addresses.b, server: net.b, up: 1000, later: 2000 };
    let [lostIn, lostOut] = [0, 0];
    await using held = await start(net.a, "held", options);
    const { localPort } = await held.until("opened");
    const moved = await net.b.moved(async () => {
      const input = await net.b.rule("input", `tcp sport ${localPort}`, "drop");
      held.goOn();
      while ((await input.packets()) < 2) await delay(20);
      const output = await net.a.rule("output", `tcp sport ${localPort}`, "drop");
      lostIn = await input.end();
      while ((await output.packets()) < 2) await delay(20);
      lostOut = await output.end();
      await held.done();
      // The refused SYN has no socket at net.b, and the answer is accepted at net.a.
      await run(net.a, "attempt", { address: addresses.b });
    });
    // Duplicates, because the acknowledgement was late.
    lostIn += 1 + (moved["TcpExt.TCPDSACKOldSent"] ?? 0);
    assert.deepEqual(await drops(watched), {
      client: { lostIn, lostOut: 0 },
      server: { lostIn: 0, lostOut },
    });
  });

  it("counts 10,000 short connections once each while it sweeps without a pause", async () => {
    await using netns = await Netns.create();
    await using watched = await watchSubnets(["127.0.0.0/8=loop"], netns);
    let done = false;
    const sweeping = (async () => {
      let sweeps = 0;
      for (; !done; sweeps++) await watched.collect();
      return sweeps;
    })();
    const moved = await netns
      .moved(() => run(netns, "burst"))
      .finally(() => {
        done = true;
      });
    assert.ok((await sweeping) > 100);
    // A busy machine responds late now and then, and its kernel retransmits.
    const retransmits = moved["Tcp.RetransSegs"] ?? 0;
    const loop = {
      ...nothing,
      sent: 10_000,
      received: 10_000,
      outbound: 10_000,
      inbound: 10_000,
      retransmits,
    };
    await assertSums(watched, { loop });
  });

  describe("on the command line", () => {
    it("takes bcc's list and options, and keeps rows without traffic", async () => {
      await using net = await pair();
      const netns = `plugins.tcpsubnet.filter.include.netns=${inodeOf(net.a)}`;
      const list = "10.213.0.0/24,fd13::/64=six";
      const args = ["trace", "tcpsubnet", "-J", "-i", "0.2", list, "--set", netns];
      await using agent = await startAgent(args);
      await run(net.a, "clientCloses", { address: addresses.b, server: net.b });
      const sent = "wirespan.tcp.bytes_sent";
      const rows = await agent.until((all) => all.some((row) => row[sent] === 1000));
      const names = new Set(rows.map((row) => row["wirespan.subnet.name"]));
      assert.deepEqual([...names], ["10.213.0.0/24", "six"]);
      assert.ok(rows.length % 2 === 0);
    });

    it("prints the requested unit", async () => {
      await using net = await pair();
      const netns = `plugins.tcpsubnet.filter.include.netns=${inodeOf(net.a)}`;
      const args = ["trace", "tcpsubnet", "-f", "k", "--wide", "10.213.0.0/24=wire", "--set", netns];
      await using agent = await startAgent(args);
      await run(net.a, "clientCloses", { address: addresses.b, server: net.b });
      const { stdout } = await agent.stop();
      const shown = stdout.filter((line) => line.startsWith("wire")).map((line) => line.split(/ +/));
      const [, ...numbers] = shown.find(([, sent]) => sent !== "0") ?? [];
      assert.deepEqual(numbers, ["8", "4", "1", "0", "0"]);
      assert.match(stdout[1] ?? "", /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\]$/);
    });

    it("names an invalid block with its position, and an unknown unit", async () => {
      await assert.rejects(
        startAgent(["trace", "tcpsubnet", "10.0.0.0/8=corp,10.0.0.0/40"]),
        /ended with 2 .*\n.*\n.*plugins\.tcpsubnet\.subnets: entry 2: "10\.0\.0\.0\/40": the prefix length/,
      );
      await assert.rejects(startAgent(["trace", "tcpsubnet", "-f", "g"]), /ended with 2 [\s\S]*not "g"/);
    });
  });
});
