// Events for which the kernel enters no program, because that program is already running on the CPU: a second one sees
// them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { installedPlugins } from "../../core/engine/discover.ts";
import { programsOf } from "../../core/engine/readings.ts";
import type { Metric } from "../../core/plugin/signals.ts";
import { native } from "../../native/index.ts";
import { built } from "../support/bpf.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { type Watch, watch } from "../support/engine.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { build, one, run } from "../support/workload.ts";

/** What each plugin reports about connections that were opened one after the other, with one byte sent over each. */
const COUNTS: Readonly<Record<string, (seen: Seen, connections: number) => void>> = {
  tcplife(seen, n) {
    assert.equal(seen.sum("wirespan.tcp.connection.closed"), 2 * n);
    assert.equal(seen.sum("wirespan.tcp.io", "transmit"), n);
    assert.equal(seen.sum("wirespan.tcp.io", "receive"), n);
  },
  tcpstates(seen, n) {
    for (const state of ["syn_sent", "syn_received", "fin_wait_1", "close_wait", "last_ack"])
      assert.equal(seen.sum("wirespan.tcp.state.duration", state), n, state);
    assert.equal(seen.sum("wirespan.tcp.state.duration", "established"), 2 * n);
  },
  tcpconnect: (seen, n) => assert.equal(seen.sum("wirespan.tcp.connect.attempts"), n),
  tcpconnlat: (seen, n) => assert.equal(seen.sum("wirespan.tcp.connect.duration"), n),
  tcpaccept: (seen, n) => assert.equal(seen.sum("wirespan.tcp.connection.accepted"), n),
  tcptop(seen, n) {
    assert.equal(seen.sum("wirespan.tcp.process.io", "transmit"), n);
    assert.equal(seen.sum("wirespan.tcp.process.io", "receive"), n);
  },
  tcpsubnet(seen, n) {
    assert.equal(seen.sum("wirespan.tcp.subnet.connections"), 2 * n);
    assert.equal(seen.sum("wirespan.tcp.subnet.io"), 2 * n);
  },
  solisten(seen, n) {
    const accepted = seen.watch.events.map(({ attributes }) => attributes["wirespan.socket.accepted"] ?? 0);
    assert.equal(
      accepted.reduce((a: number, b) => a + (b as number), 0),
      n,
    );
  },
};

const NOT_COUNTED: Readonly<Record<string, string>> = {
  tcptracer: "has no sums, and asks for every connection's spans, which the core counts",
  tcpdrop:
    "its own two programs on kfree_skb (bpf/include/wirespan/reentrancy.h); its listeners' ends are in the chain",
  tcpretrans:
    "its own two programs on tcp_retransmit_skb (bpf/include/wirespan/reentrancy.h); SYN-ACKs are retransmitted in softirqs only",
  softirqs: "a softirq is raised with interrupts off, and entered and left on a CPU that runs no other",
  netqtop: "packets are sent and received with softirqs off",
};

class Seen {
  readonly watch: Watch;
  readonly #metrics: readonly Metric[];

  constructor(seen: Watch, metrics: readonly Metric[]) {
    this.watch = seen;
    this.#metrics = metrics;
  }

  /** The sum over all series, or over those with this value of an attribute. */
  sum(name: string, having?: string): number {
    return this.#metrics
      .filter(({ spec }) => spec.name === name)
      .flatMap(({ points }) => points)
      .filter(({ attributes }) => having === undefined || Object.values(attributes).includes(having))
      .reduce((all, { value }) => all + (typeof value === "number" ? value : value.count), 0);
  }
}

/** Loopback's packets reach the other CPU by interrupt, at any moment. */
async function spreadPackets(netns: Netns): Promise<void> {
  const queue = "/sys/class/net/lo/queues/rx-0/rps_cpus";
  await netns.run("unshare", "--mount", "sh", "-c", `mount -t sysfs none /sys && echo 3 > ${queue}`);
}

/** Packets that CPUs have received, according to the kernel's counters and to its tracepoint. */
async function polled(seen: Watch): Promise<{ readonly taken: number; readonly reported: number }> {
  const lines = readFileSync("/proc/net/softnet_stat", "utf8").trim().split("\n");
  const taken = lines.reduce((sum, line) => sum + Number.parseInt(line, 16), 0);
  return { taken, reported: new Seen(seen, await seen.collect()).sum("wirespan.softirq.napi.packets") };
}

function misses(seen: Watch): number {
  return programsOf(seen.engine.objects).find(({ name }) => name === "on_state")!.misses;
}

describe("an event that interrupts a program", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  it("is covered by every plugin", () => {
    const answers = [...Object.keys(COUNTS), ...Object.keys(NOT_COUNTED)];
    assert.deepEqual(answers.toSorted(), installedPlugins().toSorted());
  });

  it("is not missing from any plugin's sums", async () => {
    for (let left = 30; left > 0; left--) {
      await using netns = await Netns.create();
      await spreadPackets(netns);
      await using seen = await watch([...Object.keys(COUNTS), "tcptracer", "softirqs"], {
        "filter.include.netns": String(inodeOf(netns)),
      });
      const before = await polled(seen);
      // Two at a time, so that packets of one interrupt system calls of the other.
      const ends = await Promise.all([0, 1].map(() => run(netns, "burst", { count: 2500 })));
      const after = await polled(seen);
      // A virtual CPU may omit all of its tracepoints for as long as a softirq lasts.
      if (misses(seen) === 0 || after.reported - before.reported !== after.taken - before.taken) continue;
      const connections = ends.reduce(
        (n, lines) => n + (one(lines, "summary", "client").connections as number),
        0,
      );
      // At both ends, one for the handshake and one for the whole connection.
      await seen.until("spans", () => (seen.counters().seen_spans ?? 0) >= 4 * connections);
      const found = new Seen(seen, await seen.collect());
      for (const count of Object.values(COUNTS)) count(found, connections);
      assert.equal(seen.counters().seen_spans, 4 * connections);
      return;
    }
    throw new Error("nothing was interrupted");
  });

  it("is distinguished from what the first program saw, however it is nested", async () => {
    const object = await native.load("nested", built("nested"), { programs: ["first", "second"] });
    const play = (program: string, event: number) =>
      object.run(program, new Uint8Array(BigUint64Array.of(BigInt(event)).buffer));
    const first = (event: number) => play("first", event);
    const second = (event: number) => play("second", event) === 1;
    const [a, b, c] = [0xa0, 0xb0, 0xc0];

    first(a);
    assert.equal(second(b), false, "b interrupts the first program");
    assert.equal(second(a), true);
    assert.equal(second(a), false, "it is over: another at the same address");

    first(a);
    first(b);
    assert.equal(second(b), true, "b comes between the two");
    for (let i = 0; i < 100; i++) {
      first(c);
      assert.equal(second(c), true, "so do many more");
    }
    assert.equal(second(a), true);

    first(a);
    first(b); // interrupts the second program, which is therefore not entered for it
    assert.equal(second(a), true);
    assert.equal(second(b), false, "nothing of it stays");

    for (let i = 1; i <= 100; i++) first(i); // more of these than fit
    first(a);
    assert.equal(second(a), true);
    object.close();
  });
});
