// Staged faults, one at a time besides normal traffic of other edges, are found within 30 seconds and listed first.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Agent, startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { needsRoot } from "../support/netns.ts";
import { type Finding, Staged } from "../support/staged.ts";
import { addresses, type Pair, pair } from "../support/topology.ts";
import { until } from "../support/until.ts";

/** Milliseconds within which a fault must be found. */
const SOON = 30_000;
/** Milliseconds after which a complete minute has ended, whenever they begin. */
const BEFORE = 125_000;

interface Fault {
  readonly what: string;
  /** The finding's rule, subject and text. */
  readonly rule: string;
  readonly subject: string;
  readonly text: RegExp;
  /** Faults that make something slower need a time before in which it was not. */
  calm?(stage: Stage): Promise<unknown>;
  stage(stage: Stage): Promise<unknown>;
}

/** Where a fault is staged. */
interface Stage {
  readonly net: Pair;
  run(service: string, ...args: string[]): Promise<Staged>;
  /** On the other side of the wire. */
  runElsewhere(service: string, ...args: string[]): Promise<Staged>;
  serveBadly(how: string, port: number): Promise<Staged>;
  /** From the other side of the wire; one CPU receives it all. */
  flood(cpu: number): Promise<Staged>;
}

const PORT = 9100;
const client = (stage: Stage, ...how: string[]) =>
  stage.run("client", "ask", "127.0.0.1", String(PORT), "20", ...how);
const server = (stage: Stage, ...how: string[]) => stage.run("server", "serve", String(PORT), ...how);

/** Makes the wire slow in one direction. */
const shape = (stage: Stage, how: string) =>
  stage.net.a.run("tc", ..."qdisc replace dev wire0 root tbf".split(" "), ...how.split(" "));

const FAULTS: readonly Fault[] = [
  {
    what: "an accept queue that a stopped server lets overflow",
    rule: "accept-queue-full",
    subject: `server:${PORT}`,
    text: /is full \(\d+ of 2\): \d+ packets/,
    async stage(stage) {
      const { child } = await server(stage, "backlog", "2");
      child.kill("SIGSTOP");
      await client(stage);
    },
  },
  {
    what: "a listener that never accepts",
    rule: "listener-unattended",
    subject: `server:${PORT}`,
    text: /\d+ connections are waiting, and none was accepted/,
    async stage(stage) {
      await stage.serveBadly("unattended", PORT);
      await client(stage);
    },
  },
  {
    what: "connects that are refused on one edge",
    rule: "connects-fail",
    subject: `client → 127.0.0.1:${PORT} (connection_refused)`,
    text: /^(\d+) of \1 attempts/,
    stage: (stage) => client(stage),
  },
  {
    what: "connects that nothing answers",
    rule: "connects-unanswered",
    subject: `client → 127.0.0.1:${PORT}`,
    text: /^\d+ SYNs/,
    async stage(stage) {
      await server(stage);
      await stage.net.a.rule("input", `tcp dport ${PORT}`, "drop");
      await client(stage);
    },
  },
  {
    what: "SYNs of which one in three is dropped",
    rule: "syns-lost",
    subject: `client → 127.0.0.1:${PORT}`,
    text: /^\d+ SYNs were retransmitted in \d+ attempts/,
    async stage(stage) {
      await server(stage);
      const syns = `tcp dport ${PORT} tcp flags & (syn | ack) == syn`;
      await stage.net.a.rule("input", `${syns} numgen inc mod 3 == 0`, "drop");
      await client(stage);
    },
  },
  {
    what: "a path that loses 3 % of the segments one way",
    rule: "segments-lost",
    subject: `client → 127.0.0.1:${PORT}`,
    text: /^[\d.]+ % of the segments/,
    async stage(stage) {
      await server(stage, "echo");
      await stage.net.a.rule("input", `tcp dport ${PORT} numgen random mod 100 < 3`, "drop");
      await client(stage, "chat");
    },
  },
  {
    what: "a server that does not close what its clients have ended",
    rule: "sockets-pile-up",
    subject: "server (close_wait)",
    text: /grow: \d+ a minute ago, \d+ now/,
    async stage(stage) {
      await server(stage, "leak");
      await client(stage, "leave");
    },
  },
  {
    what: "answers that are reset in the middle",
    rule: "connections-reset",
    subject: `client → 127.0.0.1:${PORT}`,
    text: /\d+/,
    async stage(stage) {
      await server(stage, "reset");
      await client(stage);
    },
  },
  {
    what: "a server without file descriptors",
    rule: "accept-fails",
    subject: "server (too_many_open_files)",
    text: /failed \d+ times in the last minute: too_many_open_files/,
    async stage(stage) {
      await stage.serveBadly("exhausted", PORT);
      await client(stage);
    },
  },
  {
    what: "round trips that take five times as long on one edge",
    rule: "rtt-long",
    subject: `client → ${addresses.b}:${PORT}`,
    text: /is [\d.]+ ms at the median; it was [\d.]+ [µm]s/,
    async calm(stage) {
      await stage.runElsewhere("server", "serve", String(PORT), "echo");
      await stage.run("client", "ask", addresses.b, String(PORT), "2", "chat");
    },
    stage: (stage) => shape(stage, "rate 70kbit burst 1600 latency 2s"),
  },
  {
    what: "one sender that fills a queue",
    rule: "packets-dropped",
    subject: "hog (QDISC_DROP)",
    text: /dropped \d+ TCP packets of hog/,
    async stage(stage) {
      await shape(stage, "rate 2mbit burst 16000 limit 32000");
      await stage.runElsewhere("server", "serve", String(PORT), "echo");
      await stage.run("hog", "push", addresses.b, String(PORT));
    },
  },
  {
    what: "one CPU that receives all packets",
    rule: "softirq-hogs-cpu",
    subject: "CPU 1 (net_rx)",
    text: /^Softirqs took \d+ % of CPU 1 in the last 10 s, most of it net_rx/,
    async stage(stage) {
      // So many rules that receiving a packet takes much longer than sending it.
      const rules = [
        "add table ip f",
        "add chain ip f many",
        ...Array.from({ length: 100 }, (_, i) => `add rule ip f many ip saddr 10.1.0.${i} drop`),
        "add chain ip f in { type filter hook prerouting priority -300; }",
        ...Array.from({ length: 80 }, () => "add rule ip f in jump many"),
        "add rule ip f in udp dport 9 drop",
      ];
      await stage.net.a.run("nft", rules.join(";"));
      await stage.flood(1);
    },
  },
];

describe("staged faults", () => {
  let folder: string;
  let net: Pair;
  let agent: Agent;
  let url: string;
  const staged: Staged[] = [];

  before(function () {
    needsRoot(this);
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "wirespan-faults-"));
    net = await pair();
    agent = await startAgent([], {
      config: `
filter: { include: { netns: ["${inodeOf(net.a)}"] } }
plugins: { softirqs: { perCpu: true } }
viewer: { enabled: true, address: "127.0.0.1:0", file: "${folder}/viewer.db" }
exporters: { c: { type: console, format: json, rate: 1 } }
`,
    });
    url = await until("the page's address", async () =>
      agent.stderr
        .map((line) => /http:\/\/127\.0\.0\.1:\d+\//.exec(line)?.[0])
        .find((one) => one !== undefined),
    );
    for (const [i, service] of ["shop", "stock", "mail", "search"].entries()) {
      await stage.run(service, "serve", String(9001 + i));
      await stage.run(`${service}-client`, "ask", "127.0.0.1", String(9001 + i), "10");
    }
  });
  afterEach(async () => {
    for (const one of staged.splice(0)) await one.end();
    await agent?.[Symbol.asyncDispose]();
    await net?.[Symbol.asyncDispose]();
    if (folder) await rm(folder, { recursive: true });
  });

  const keep = async (one: Promise<Staged>) => {
    const started = await one;
    staged.push(started);
    return started;
  };
  const stage: Stage = {
    get net() {
      return net;
    },
    run: (service, ...args) => keep(Staged.start(net.a, service, ...args)),
    runElsewhere: (service, ...args) => keep(Staged.start(net.b, service, ...args)),
    flood: (cpu) => keep(Staged.flood(net.b, "flood", addresses.a, cpu)),
    serveBadly: (how, port) => keep(Staged.faulty(net.a, "server", how, port)),
  };
  const findings = async () => {
    const answer = await fetch(new URL("/api/v1/findings", url));
    return ((await answer.json()) as { findings: readonly Finding[] }).findings;
  };

  for (const { what, rule, subject, text, calm, stage: begin } of FAULTS)
    it(`are found: ${what}`, async () => {
      await calm?.(stage);
      if (calm) await sleep(BEFORE);
      assert.deepEqual(await findings(), []);
      const begun = performance.now();
      await begin(stage);
      let last: readonly Finding[] = [];
      const isFound = async () => {
        last = await findings();
        return last.some((one) => one.rule === rule);
      };
      await until(rule, isFound, SOON + 15_000).catch(() => {});
      const took = performance.now() - begun;
      const [first] = last;
      assert.deepEqual([first?.rule, first?.subject], [rule, subject], JSON.stringify(last, null, 1));
      assert.match(first!.text, text);
      assert.deepEqual(
        last.filter((one) => /shop|stock|mail|search/.test(one.subject)),
        [],
      );
      assert.ok(took <= SOON, `found after ${Math.round(took / 1000)} s`);
    });
});
