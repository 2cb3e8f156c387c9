import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Agent, type Row, startAgent } from "../../test/support/agent.ts";
import { type Netns, needsRoot } from "../../test/support/netns.ts";
import { addresses, type Pair, pair } from "../../test/support/topology.ts";
import { build, run } from "../../test/support/workload.ts";

const inode = (netns: Netns): number => statSync(netns.path).ino;

/** A pair without IPv6, whose multicast reports would be counted. */
async function quiet(queues = 1): Promise<Pair> {
  const net = await pair({ queues });
  for (const netns of [net.a, net.b]) await netns.sysctl({ "net.ipv6.conf.all.disable_ipv6": 1 });
  return net;
}

interface Sums {
  frames: number;
  packets: number;
  bytes: number;
}

/** The interface's own statistics. */
async function account(netns: Netns, name = "wire0"): Promise<{ transmit: Sums; receive: Sums }> {
  const [link] = JSON.parse(await netns.ip("-s", "-j", "link", "show", name)) as {
    stats64: Record<"tx" | "rx", { packets: number; bytes: number }>;
  }[];
  const of = ({ packets, bytes }: { packets: number; bytes: number }) => ({
    frames: packets,
    packets: 0,
    bytes,
  });
  return { transmit: of(link!.stats64.tx), receive: of(link!.stats64.rx) };
}

async function moved(netns: Netns, work: () => Promise<unknown>): Promise<{ transmit: Sums; receive: Sums }> {
  const before = await account(netns);
  await work();
  const after = await account(netns);
  const by = (way: "transmit" | "receive") => ({
    frames: after[way].frames - before[way].frames,
    packets: 0,
    bytes: after[way].bytes - before[way].bytes,
  });
  return { transmit: by("transmit"), receive: by("receive") };
}

const watch = (...args: readonly string[]): Promise<Agent> =>
  startAgent(["trace", "netqtop", "--json", "-i", "1", ...args]);

/** Everything that the agent reported about a namespace's interfaces in one direction. */
function reported(rows: readonly Row[], netns: Netns, way: "transmit" | "receive"): readonly Row[] {
  return rows.filter(
    (row) =>
      row.plugin === "netqtop" &&
      row.frames !== undefined &&
      row["wirespan.netns.inode"] === inode(netns) &&
      row["network.io.direction"] === way,
  );
}

function sum(rows: readonly Row[], key: string): number {
  return rows.reduce((all, row) => all + Number(row[key] ?? 0), 0);
}

describe("netqtop", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  it("counts frames and bytes in both directions as the interface does, by bcc's size ranges", async () => {
    await using net = await quiet(2);
    await using agent = await watch("-n", "wire0");
    const sent = await moved(net.a, async () => {
      for (const size of [10, 100, 1000]) {
        await run(net.a, "datagrams", { server: net.b, address: addresses.b, count: 1000, size });
      }
    });
    await agent.stop();
    const transmitted = reported(agent.rows, net.a, "transmit");
    const received = reported(agent.rows, net.b, "receive");
    assert.equal(sent.transmit.frames, 3000);
    for (const rows of [transmitted, received]) {
      assert.equal(sum(rows, "frames"), 3000);
      assert.equal(sum(rows, "packets"), 3000);
      // 42 bytes of headers: the link-layer header of received frames was removed before they were counted.
      assert.equal(sum(rows, "bytes"), 1000 * (52 + 142 + 1042));
      assert.equal(sum(rows, "bytes"), sent.transmit.bytes);
      assert.equal(sum(rows, "frames_0-64"), 1000);
      assert.equal(sum(rows, "frames_64-512"), 1000);
      assert.equal(sum(rows, "frames_512-2048"), 1000);
    }
  });

  it("counts packets on the wire if frames are segmented later", async () => {
    await using net = await quiet();
    await using agent = await watch();
    let segments: Readonly<Record<string, number>> = {};
    const sent = await moved(net.a, async () => {
      segments = await net.a.moved(async () => {
        await run(net.a, "clientCloses", { server: net.b, address: addresses.b, up: 20_000_000 });
        await sleep(200); // the close's last acknowledgement
      });
    });
    await agent.stop();
    const transmitted = reported(agent.rows, net.a, "transmit");
    assert.equal(sum(transmitted, "frames"), sent.transmit.frames);
    assert.equal(sum(transmitted, "bytes"), sent.transmit.bytes);
    // OutSegs excludes retransmissions (RFC 4022).
    const sentSegments = segments["Tcp.OutSegs"]! + (segments["Tcp.RetransSegs"] ?? 0);
    assert.equal(sum(transmitted, "packets"), sentSegments);
    assert.ok(sum(transmitted, "packets") > 3 * sum(transmitted, "frames"));
    assert.equal(sum(reported(agent.rows, net.b, "receive"), "packets"), sentSegments);
  });

  it("keeps interfaces of one name in different namespaces apart", async () => {
    await using one = await quiet();
    await using other = await quiet();
    await using agent = await watch("-n", "wire0");
    await run(one.a, "datagrams", { server: one.b, address: addresses.b, count: 500 });
    await run(other.a, "datagrams", { server: other.b, address: addresses.b, count: 300 });
    await agent.stop();
    assert.equal(sum(reported(agent.rows, one.a, "transmit"), "frames"), 500);
    assert.equal(sum(reported(agent.rows, other.a, "transmit"), "frames"), 300);
  });

  it("excludes namespaces by the agent's filter and its own, and logs the criteria that it ignores", async () => {
    await using one = await quiet();
    await using other = await quiet();
    const settings = {
      "filter.include.netns": [one.a, one.b, other.a].map(inode).join(","),
      "plugins.netqtop.filter.exclude.netns": String(inode(one.b)),
      "filter.exclude.pid": "1",
      "filter.minDuration": "1ms",
    };
    const set = Object.entries(settings).flatMap(([path, value]) => ["--set", `${path}=${value}`]);
    await using agent = await watch("-n", "wire0", ...set);
    await run(one.a, "datagrams", { server: one.b, address: addresses.b, count: 500 });
    await run(other.a, "datagrams", { server: other.b, address: addresses.b, count: 300 });
    const { stderr } = await agent.stop();
    assert.equal(sum(reported(agent.rows, one.a, "transmit"), "frames"), 500);
    assert.equal(sum(reported(agent.rows, other.a, "transmit"), "frames"), 300);
    assert.deepEqual(reported(agent.rows, one.b, "receive"), []);
    assert.deepEqual(reported(agent.rows, other.b, "receive"), []);
    assert.ok(
      stderr.some((line) =>
        /netqtop ignores filter\.exclude\.pid, filter\.minDuration: it does not observe connections/.test(
          line,
        ),
      ),
    );
  });

  it("follows an interface to its new name, and counts nothing twice", async () => {
    await using net = await quiet();
    const { transmit: before } = await account(net.a);
    await using agent = await watch();
    const send = (count: number) =>
      run(net.a, "datagrams", { server: net.b, address: addresses.b, count, cpu: 0 });
    await send(400);
    await sleep(1500);
    await net.a.ip("link", "set", "wire0", "down");
    await net.a.ip("link", "set", "wire0", "name", "wire9");
    await net.a.ip("link", "set", "wire9", "up");
    const [peer] = JSON.parse(await net.b.ip("-j", "link", "show", "wire0")) as { address: string }[];
    await net.a.ip(
      ...["neighbour", "replace", addresses.b, "lladdr", peer!.address, "dev", "wire9", "nud", "permanent"],
    );
    await send(400);
    await agent.stop();
    const rows = reported(agent.rows, net.a, "transmit");
    assert.deepEqual([...new Set(rows.map((row) => row["network.interface.name"]))], ["wire0", "wire9"]);
    assert.equal(new Set(rows.map((row) => row["wirespan.interface.index"])).size, 1);
    assert.equal(sum(rows, "frames"), (await account(net.a, "wire9")).transmit.frames - before.frames);
    assert.ok(
      sum(
        rows.filter((row) => row["network.interface.name"] === "wire9"),
        "frames",
      ) > 380,
    );
  });

  it("excludes loopback unless it is enabled", async () => {
    await using net = await quiet();
    const work = () => run(net.a, "datagrams", { address: "127.0.0.1", count: 200 });
    await using without = await watch();
    await work();
    await without.stop();
    assert.deepEqual(reported(without.rows, net.a, "transmit"), []);
    await using agent = await watch("--loopback", "-n", "lo");
    await work();
    await agent.stop();
    assert.equal(sum(reported(agent.rows, net.a, "transmit"), "frames"), 200);
    assert.equal(sum(reported(agent.rows, net.a, "receive"), "frames"), 200);
  });

  it("loses nothing if there are more queues than a CPU's table has room for", async () => {
    await using first = await quiet(24);
    await using second = await quiet(24);
    await using third = await quiet(24);
    await using agent = await watch("--signals");
    const nets = [first, second, third];
    const counted: { transmit: Sums; receive: Sums }[] = [];
    for (const net of nets) {
      const sent = await moved(net.a, async () => {
        await run(net.a, "burst", { server: net.b, address: addresses.b, count: 600 });
        await sleep(200);
      });
      assert.ok(sent.transmit.frames > 2000);
      counted.push(sent);
    }
    await agent.stop();
    for (const [i, net] of nets.entries()) {
      const { transmit, receive } = counted[i]!;
      const rows = reported(agent.rows, net.a, "transmit");
      assert.equal(sum(rows, "frames"), transmit.frames);
      assert.equal(sum(reported(agent.rows, net.a, "receive"), "frames"), receive.frames);
      assert.ok(new Set(rows.map((row) => row["wirespan.netdev.queue.id"])).size > 12);
    }
  });

  it("loses nothing if two CPUs send over one queue at once", async () => {
    await using net = await quiet();
    await using agent = await watch("-n", "wire0");
    const count = 20_000;
    const sent = await moved(net.a, () =>
      Promise.all(
        [0, 1].map((cpu) => run(net.a, "datagrams", { server: net.b, address: addresses.b, count, cpu })),
      ),
    );
    await agent.stop();
    assert.equal(sent.transmit.frames, 2 * count);
    assert.equal(sum(reported(agent.rows, net.a, "transmit"), "frames"), 2 * count);
    assert.equal(sum(reported(agent.rows, net.b, "receive"), "frames"), 2 * count);
  });

  it("counts interfaces that are created after its start", async () => {
    // Selecting it by name would be rejected, because it does not exist yet.
    await using agent = await watch();
    await using net = await quiet(2);
    await run(net.a, "datagrams", { server: net.b, address: addresses.b, count: 70 });
    await agent.stop();
    const frames = [(await account(net.a)).transmit.frames, (await account(net.b)).receive.frames];
    assert.ok(frames.every((count) => count >= 70));
    assert.equal(sum(reported(agent.rows, net.a, "transmit"), "frames"), frames[0]);
    assert.equal(sum(reported(agent.rows, net.b, "receive"), "frames"), frames[1]);
  });

  it("has a class for frames of 64 KiB and more", async () => {
    await using net = await quiet();
    await using agent = await watch("--loopback", "-n", "lo");
    // 42 bytes of headers make 65,549.
    await run(net.a, "datagrams", { address: "127.0.0.1", count: 50, size: 65_507 });
    await agent.stop();
    for (const way of ["transmit", "receive"] as const) {
      const rows = reported(agent.rows, net.a, way);
      assert.equal(sum(rows, "frames_65536-"), 50);
      assert.equal(sum(rows, "frames"), 50);
      assert.equal(sum(rows, "bytes"), 50 * 65_549);
    }
  });

  it("puts every size into the bucket that it belongs to", async () => {
    await using net = await quiet();
    // Frames next to bucket edges: powers of two, and 2^(6 + 1/8) = 69.8.
    const frames = [64, 65, 69, 70, 128, 129, 1024, 1025, 1400];
    await using agent = await watch("-n", "wire0");
    for (const frame of frames) {
      await run(net.a, "datagrams", { server: net.b, address: addresses.b, count: 7, size: frame - 42 });
    }
    await agent.stop();
    const expected: Record<number, number> = {};
    for (const frame of frames) {
      const bucket = Math.ceil(Math.log2(frame) * 8) - 1;
      expected[bucket] = (expected[bucket] ?? 0) + 7;
    }
    const found: Record<number, number> = {};
    for (const row of reported(agent.rows, net.a, "transmit")) {
      const { offset, counts } = row.histogram as { offset: number; counts: number[] };
      for (const [i, n] of counts.entries()) if (n) found[offset + i] = (found[offset + i] ?? 0) + n;
    }
    assert.deepEqual(found, expected);
  });

  it("prints bcc's tables, one for each direction, each with its total", async () => {
    await using net = await quiet(2);
    await using agent = await startAgent(["trace", "netqtop", "-n", "wire0", "-t", "-i", "1"]);
    await run(net.a, "datagrams", { server: net.b, address: addresses.b, count: 100 });
    await sleep(1200);
    const { stdout } = await agent.stop();
    const text = stdout.join("\n");
    assert.match(
      text,
      /^TX.*\n QueueID +avg_size +\[0, 64\) +\[64, 512\) +\[512, 2K\) +\[2K, 16K\) +\[16K, 64K\) .*BPS +PPS$/m,
    );
    assert.match(text, /^ Total +106 +0 +100 +0 /m);
  });
});
