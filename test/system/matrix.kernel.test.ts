// Every case of test/workload/ with all plugins of connections at once: how many connects, accepts and closes
// there were, and that those who count bytes count the same.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Metric } from "../../core/plugin/signals.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { type Watch, watch } from "../support/engine.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { skip } from "../support/skip.ts";
import { build, type Options, pick, start } from "../support/workload.ts";
import type { Case } from "../support/workload-lines.ts";

const plugins = ["tcptracer", "tcplife", "tcpaccept", "tcpconnect", "tcpconnlat", "tcptop", "tcpsubnet"];
const WAY = "network.io.direction";

/** Attempts to connect, accepts, and ends of connections: of those who opened and of those who accepted. */
type Counts = readonly [connects: number, accepts: number, opened: number, accepted: number];

interface Expected {
  readonly counts: Counts;
  readonly options?: Options;
  readonly sysctl?: Readonly<Record<string, number>>;
  /** What a rule does with a SYN to port 9. */
  readonly verdict?: string;
  /** What TCP received and no program read. */
  readonly unread?: number;
}

const plain = { counts: [1, 1, 1, 1] } as const;
const attempt = { counts: [1, 0, 1, 0] } as const;

const cases: Readonly<Partial<Record<Case, Expected>>> = {
  n1: plain,
  n2: { counts: [5, 5, 5, 5], options: { count: 5 } },
  n3: attempt,
  n4: { ...attempt, verdict: "reject with tcp reset" },
  n5: { ...attempt, verdict: "reject with icmpx admin-prohibited" },
  n6: { ...attempt, verdict: "drop", options: { synRetries: 1 } },
  n7: { ...attempt, verdict: "drop" },
  n8: { counts: [1, 0, 0, 0], options: { address: "10.99.0.2" } },
  n9: plain,
  n10: attempt,
  n11: { ...attempt, verdict: "drop" },
  n12: { ...plain, options: { address: "::ffff:127.0.0.1", listen: "::" } },
  n13: plain,
  n14: plain,
  n15: plain,
  n16: plain,
  n17: plain,
  n18: { counts: [1, 0, 1, 0], options: { port: 7018 } },
  n19: { counts: [3, 3, 3, 3], options: { port: 7019, sourcePort: 40319 } },
  n20: { counts: [2, 2, 2, 2], sysctl: { "net.ipv4.tcp_fastopen": 3 } },
  n21: { ...plain, sysctl: { "net.mptcp.enabled": 1 } },
  n22: { counts: [4, 0, 4, 2] },
  n23: { counts: [500, 500, 500, 500], options: { count: 500 } },
  n24: { counts: [50, 50, 50, 50], options: { count: 50 } },
  n26: { ...plain, options: { port: 7026, sourcePort: 40326, up: 111 } },
  n27: plain,
  n28: { ...plain, unread: 300 },
};

const sum = (metrics: readonly Metric[], name: string, way: string): number =>
  metrics
    .filter(({ spec }) => spec.name === name)
    .flatMap(({ points }) => points)
    .filter(({ attributes }) => attributes[WAY] === way)
    .reduce((all, { value }) => all + (value as number), 0);

async function bytes(watched: Watch): Promise<readonly (readonly number[])[]> {
  const metrics = await watched.collect();
  return ["wirespan.tcp.process.io", "wirespan.tcp.subnet.io"].map((name) => [
    sum(metrics, name, "transmit"),
    sum(metrics, name, "receive"),
  ]);
}

describe("of every case", function () {
  this.timeout(60_000);

  before(async function () {
    needsRoot(this);
    await build();
  });

  for (const [name, expected] of Object.entries(cases)) {
    const { counts, options, sysctl, verdict, unread = 0 } = expected;
    it(`${name}: ${counts[0]} connects, ${counts[1]} accepts, ${counts[2]} and ${counts[3]} ends`, async function () {
      if (name === "n21" && !existsSync("/proc/sys/net/mptcp")) skip(this, "this kernel has no MPTCP");
      await using netns = await Netns.create();
      if (sysctl) await netns.sysctl(sysctl);
      if (verdict) await netns.rule("input", "tcp dport 9", verdict);
      await using watched = await watch(plugins, {
        "filter.include.netns": String(inodeOf(netns)),
        "plugins.tcpconnect.failedAtOnce": "true",
        "plugins.tcpaccept.queued": "false",
      });
      await using running = await start(netns, name as Case, options);
      if (name === "n26") {
        await running.until("opened");
        running.goOn();
      }
      const lines = await running.done();
      const of = (span: string, direction: string) =>
        watched.spans.filter(
          (s) => s.name === span && s.attributes["wirespan.connection.direction"] === direction,
        ).length;
      const told = (): Counts => [
        of("tcp connect", "outbound"),
        of("tcp accept", "inbound"),
        of("tcp connection", "outbound"),
        of("tcp connection", "inbound"),
      ];
      const total = counts.reduce((all, n) => all + n, 0);
      await watched.until(`${counts}, but ${told()}`, () => watched.spans.length >= total);
      assert.deepEqual(told(), counts);
      assert.equal(watched.spans.length, total);

      const programs = [...pick(lines, "end"), ...pick(lines, "summary")];
      const moved = [
        programs.reduce((all, { sent }) => all + sent, 0),
        programs.reduce((all, { received }) => all + received, unread),
      ];
      for (const end = performance.now() + 5000; performance.now() < end; await delay(20))
        if ((await bytes(watched)).every((pair) => pair.join() === moved.join())) break;
      assert.deepEqual(await bytes(watched), [moved, moved]);
    });
  }
});
