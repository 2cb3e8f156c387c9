// Every case of test/workload/ with all plugins of connections at once: how many connects, accepts and closes there
// were, and that the plugins that count bytes agree.
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

/** Attempts to connect, accepts, and ends of connections, separately for openers and acceptors. */
type Counts = readonly [connects: number, accepts: number, opened: number, accepted: number];

interface Expected {
  readonly case?: Case;
  readonly counts: Counts;
  readonly options?: Options;
  readonly sysctl?: Readonly<Record<string, number>>;
  /** What a rule does with a SYN to port 9. */
  readonly verdict?: string;
  /** Bytes that TCP received and no program read. */
  readonly unread?: number;
}

const plain = { counts: [1, 1, 1, 1] } as const;
const attempt = { counts: [1, 0, 1, 0] } as const;

/** Cases by name; `case` is set if that is not the workload's name. */
const cases: Readonly<Record<string, Expected>> = {
  clientCloses: plain,
  serverCloses: { counts: [5, 5, 5, 5], options: { count: 5 } },
  refused: { ...attempt, case: "attempt" },
  "rejected with a reset": { ...attempt, case: "attempt", verdict: "reject with tcp reset" },
  "rejected with ICMP": { ...attempt, case: "attempt", verdict: "reject with icmpx admin-prohibited" },
  "timed out": { ...attempt, case: "attempt", verdict: "drop", options: { synRetries: 1 } },
  unreachable: { counts: [1, 0, 0, 0], case: "attempt", options: { address: "10.99.0.2" } },
  killedConnecting: { ...attempt, verdict: "drop" },
  nonblocking: plain,
  nonblockingRefused: attempt,
  abandoned: { ...attempt, verdict: "drop" },
  "IPv4 in an IPv6 socket": {
    ...plain,
    case: "clientCloses",
    options: { address: "::ffff:127.0.0.1", listen: "::" },
  },
  inheritedByChild: plain,
  passedToChild: plain,
  acceptedByThread: plain,
  halfClose: plain,
  reset: plain,
  selfConnect: { counts: [1, 0, 1, 0], options: { port: 7018 } },
  reusedPort: { counts: [3, 3, 3, 3], options: { port: 7019, sourcePort: 40319 } },
  fastOpen: { counts: [2, 2, 2, 2], sysctl: { "net.ipv4.tcp_fastopen": 3 } },
  multipath: { ...plain, sysctl: { "net.mptcp.enabled": 1 } },
  unaccepted: { counts: [4, 0, 4, 2] },
  burst: { counts: [500, 500, 500, 500], options: { count: 500 } },
  shortLived: { counts: [50, 50, 50, 50], options: { count: 50 } },
  held: { ...plain, options: { port: 7026, sourcePort: 40326, up: 111 } },
  executed: plain,
  unread: { ...plain, unread: 300 },
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

describe("the reports of every case", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  for (const [name, expected] of Object.entries(cases)) {
    const { counts, options, sysctl, verdict, unread = 0 } = expected;
    it(`${name}: ${counts[0]} connects, ${counts[1]} accepts, ${counts[2]} and ${counts[3]} ends`, async function () {
      if (name === "multipath" && !existsSync("/proc/sys/net/mptcp")) skip(this, "this kernel has no MPTCP");
      await using netns = await Netns.create();
      if (sysctl) await netns.sysctl(sysctl);
      if (verdict) await netns.rule("input", "tcp dport 9", verdict);
      await using watched = await watch(plugins, {
        "filter.include.netns": String(inodeOf(netns)),
        "plugins.tcpconnect.failedAtOnce": "true",
        "plugins.tcpaccept.queued": "false",
      });
      await using running = await start(netns, expected.case ?? (name as Case), options);
      if (name === "held") {
        await running.until("opened");
        running.goOn();
      }
      const lines = await running.done();
      const of = (span: string, direction: string) =>
        watched.spans.filter(
          (s) => s.name === span && s.attributes["wirespan.connection.direction"] === direction,
        ).length;
      const reported = (): Counts => [
        of("tcp connect", "outbound"),
        of("tcp accept", "inbound"),
        of("tcp connection", "outbound"),
        of("tcp connection", "inbound"),
      ];
      const total = counts.reduce((all, n) => all + n, 0);
      await watched.until(`${counts}, but ${reported()}`, () => watched.spans.length >= total);
      assert.deepEqual(reported(), counts);
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
