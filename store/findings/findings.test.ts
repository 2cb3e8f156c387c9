import assert from "node:assert/strict";
import { type Minute, minute } from "../../test/support/minutes.ts";
import { TestStore } from "../../test/support/page.ts";
import { Findings, type Raised } from "./findings.ts";

const NOW = 1_800_000_000;
/** Minutes of normal traffic before. */
const BEFORE = 20;

/** The findings after normal traffic and two minutes of `fault` on one of three edges. */
async function raisedBy(
  fault: Minute,
  metrics?: (store: TestStore, t: number, isFault: boolean) => void,
): Promise<Raised[]> {
  using store = new TestStore({ now: () => NOW });
  for (let m = BEFORE; m > 0; m--) {
    const end = NOW - m * 60;
    for (const peer of [1, 2, 3]) minute(store, end, {}, peer);
    if (metrics) for (let t = end - 60; t < end; t += 10) metrics(store, t, false);
  }
  const reported: Raised[] = [];
  const findings = new Findings(store.db, store.ingest, store.store.scan, (finding) =>
    reported.push(finding),
  );
  await findings.evaluate(NOW - 60);
  await findings.evaluate(NOW - 60);
  assert.deepEqual(findings.raised, [], "while all is calm");
  minute(store, NOW, fault, 1);
  for (const peer of [2, 3]) minute(store, NOW, {}, peer);
  if (metrics) for (let t = NOW - 60; t < NOW; t += 10) metrics(store, t, true);
  await findings.evaluate(NOW);
  assert.deepEqual(findings.raised, [], "after one look");
  await findings.evaluate(NOW);
  assert.deepEqual(
    reported.map(({ rule, subject }) => `${rule} ${subject}`).sort(),
    findings.raised.map(({ rule, subject }) => `${rule} ${subject}`).sort(),
    "each was reported once",
  );
  return [...findings.raised];
}

const gauge = (
  store: TestStore,
  t: number,
  name: string,
  values: Readonly<Record<string, number>>,
  service = "web",
) => store.metrics(t, name, "updowncounter", values, service);
const counter = (
  store: TestStore,
  t: number,
  name: string,
  values: Readonly<Record<string, number>>,
  service = "web",
) => store.metrics(t, name, "counter", values, service);

const EDGE = "web → 10.0.0.1:5432";
const PORT_80 = JSON.stringify({ "server.port": 80 });

function queue(used: number, dropped: number, accepted: number) {
  return (store: TestStore, t: number, isFault: boolean) => {
    gauge(store, t, "wirespan.tcp.accept_queue.limit", { [PORT_80]: 128 });
    gauge(store, t, "wirespan.tcp.accept_queue.usage", { [PORT_80]: isFault ? used : 0 });
    counter(store, t, "wirespan.tcp.listener.dropped", { [PORT_80]: isFault ? dropped : 0 });
    counter(store, t, "wirespan.tcp.connection.accepted", { "{}": isFault ? accepted : 100 });
  };
}

const cases: readonly {
  readonly title: string;
  readonly fault?: Minute;
  readonly metrics?: Parameters<typeof raisedBy>[1];
  readonly rule: string;
  readonly subject: string;
  readonly text: RegExp;
}[] = [
  {
    title: "connects that are refused",
    fault: { failed: [20, "connection_refused"] },
    rule: "connects-fail",
    subject: `${EDGE} (connection_refused)`,
    text: /^20 of 60 attempts .* failed in the last minute: connection_refused/,
  },
  {
    title: "unanswered connects, before they end",
    fault: { hanging: 40 },
    rule: "connects-unanswered",
    subject: EDGE,
    text: /^40 SYNs .* were retransmitted in the last minute by attempts that have had no answer so far/,
  },
  {
    title: "unanswered connects",
    fault: { failed: [60, "timed_out"] },
    rule: "connects-fail",
    subject: `${EDGE} (timed_out)`,
    text: /^60 of 60 attempts/,
  },
  {
    title: "lost SYNs",
    fault: { synRetransmits: 20, took: 1.01 },
    rule: "syns-lost",
    subject: EDGE,
    text: /^20 SYNs were retransmitted in 60 attempts/,
  },
  {
    title: "slow handshakes",
    fault: { took: 0.02 },
    rule: "connects-slow",
    subject: EDGE,
    text: /takes 2\d ms at the 99th percentile; it was 1\.\d ms/,
  },
  {
    title: "slow accepts",
    fault: { queue: 0.5 },
    rule: "accept-queue-slow",
    subject: "10.0.0.9 → web:80",
    text: /wait 5\d\d ms in the accept queue/,
  },
  {
    title: "a longer path",
    fault: { rtt: 0.0085 },
    rule: "rtt-long",
    subject: EDGE,
    text: /is 8\.\d ms at the median; it was 5\d\d µs/,
  },
  {
    title: "lost segments",
    fault: { retransmits: 20 },
    rule: "segments-lost",
    subject: EDGE,
    text: /3\.3 % of the segments .* \(20 of 600\)/,
  },
  {
    title: "resets",
    fault: { resets: 30 },
    rule: "connections-reset",
    subject: EDGE,
    text: /^30 of 60 connections/,
  },
  {
    title: "unread bytes",
    fault: { unread: 30 },
    rule: "bytes-unread",
    subject: EDGE,
    text: /closed with 300 unread bytes/,
  },
  {
    title: "a full accept queue",
    metrics: queue(129, 50, 0),
    rule: "accept-queue-full",
    subject: "web:80",
    text: /full \(129 of 128\): 300 packets/,
  },
  {
    title: "an unattended listener",
    metrics: queue(3, 0, 0),
    rule: "listener-unattended",
    subject: "web:80",
    text: /3 connections are waiting/,
  },
  {
    title: "an accept queue that fills",
    metrics: queue(110, 0, 5),
    rule: "accept-queue-fills",
    subject: "web:80",
    text: /86 % full \(110 of 128\)/,
  },
  {
    title: "accept() without descriptors",
    metrics: (store, t, isFault) =>
      counter(store, t, "wirespan.tcp.accept.errors", {
        [JSON.stringify({ "error.type": "too_many_files" })]: isFault ? 5 : 0,
      }),
    rule: "accept-fails",
    subject: "web (too_many_files)",
    text: /failed 30 times in the last minute/,
  },
  {
    title: "dropped packets",
    metrics: (store, t, isFault) =>
      counter(store, t, "wirespan.tcp.packet.dropped", {
        [JSON.stringify({ "wirespan.packet.drop.reason": "NETFILTER_DROP" })]: isFault ? 10 : 0,
      }),
    rule: "packets-dropped",
    subject: "web (NETFILTER_DROP)",
    text: /dropped 60 TCP packets of web/,
  },
  {
    title: "a CPU overloaded with softirqs",
    metrics: (store, t, isFault) => {
      const on = (cpu: number) =>
        JSON.stringify({ "wirespan.softirq.vector": "net_rx", "cpu.logical_number": cpu });
      counter(store, t, "wirespan.softirq.time", {
        [on(0)]: isFault ? 7 : 0.1,
        [on(1)]: 0.1,
        [on(2)]: 0.1,
        [on(3)]: 0.1,
      });
    },
    rule: "softirq-hogs-cpu",
    subject: "CPU 0 (net_rx)",
    text: /Softirqs took 70 % of CPU 0 in the last 10 s/,
  },
  {
    title: "NAPI polls that use up their budget",
    metrics: (store, t, isFault) => {
      counter(store, t, "wirespan.softirq.napi.polls", { "{}": 1000 });
      counter(store, t, "wirespan.softirq.napi.exhausted", { "{}": isFault ? 50 : 0 });
    },
    rule: "napi-budget-exhausted",
    subject: "NAPI",
    text: /5\.0 % of the NAPI polls used up their budget \(300 of 6000\)/,
  },
  {
    title: "a queue that carries nearly everything",
    metrics: (store, t, isFault) => {
      const of = (id: number) =>
        JSON.stringify({
          "network.interface.name": "eth0",
          "network.io.direction": "receive",
          "wirespan.netdev.queue.id": id,
        });
      counter(store, t, "wirespan.netdev.queue.packets", {
        [of(0)]: isFault ? 9000 : 1000,
        [of(1)]: 1000,
        [of(2)]: 1000,
        [of(3)]: 1000,
      });
    },
    rule: "queue-unbalanced",
    subject: "eth0 queue 0",
    text: /75 % of the packets of eth0 \(receive\) went through queue 0 of 4/,
  },
  {
    title: "frames that a driver does not accept",
    metrics: (store, t, isFault) =>
      counter(store, t, "wirespan.netdev.transmit.failures", {
        [JSON.stringify({ "network.interface.name": "eth0" })]: isFault ? 5 : 0,
      }),
    rule: "transmit-fails",
    subject: "eth0",
    text: /did not accept 30 frames/,
  },
  {
    title: "sockets that pile up in CLOSE_WAIT",
    metrics: (store, t, isFault) =>
      gauge(store, t, "system.network.connection.count", {
        [JSON.stringify({ "network.connection.state": "close_wait" })]: isFault ? 30 + (t - NOW + 60) : 30,
      }),
    rule: "sockets-pile-up",
    subject: "web (close_wait)",
    text: /in CLOSE_WAIT grow: 30 a minute ago, 80 now/,
  },
  {
    title: "what the agent itself lost",
    metrics: (store, t, isFault) =>
      counter(store, t, "wirespan.agent.connection.lost", {
        [JSON.stringify({ "error.type": "unseen" })]: isFault ? 2 : 0,
      }),
    rule: "agent-lost",
    subject: "wirespan (unseen)",
    text: /ends of 12 connections are missing/,
  },
];

describe("findings", () => {
  for (const { title, fault = {}, metrics, rule, subject, text } of cases) {
    it(`name ${title}, first and with the number`, async () => {
      const [first, ...others] = await raisedBy(fault, metrics);
      assert.deepEqual([first?.rule, first?.subject], [rule, subject], JSON.stringify(others, null, 1));
      assert.match(first!.text, text);
      assert.match(first!.next, /\w/);
      for (const { subject: other } of others)
        assert.ok(other.startsWith(subject.replace(/ \(.*/, "")), other);
    });
  }

  it("are absent in normal traffic", async () => {
    assert.deepEqual(await raisedBy({}, queue(0, 0, 100)), []);
  });

  for (const [what, counts, found] of [
    [
      "treat sockets that have only begun to accumulate as a leak, if they grow",
      [25, 40],
      ["sockets-pile-up"],
    ],
    ["do not mistake a jump for a leak", [30, 30], []],
  ] as const)
    it(what, async () => {
      const raised = await raisedBy({}, (store, t, isFault) => {
        const closing = counts[(t - NOW) / 10 + 2];
        gauge(store, t, "system.network.connection.count", {
          [JSON.stringify({ "network.connection.state": "established" })]: 5,
          ...(isFault &&
            closing && { [JSON.stringify({ "network.connection.state": "close_wait" })]: closing }),
        });
      });
      assert.deepEqual(
        raised.map(({ rule }) => rule),
        found,
      );
    });

  it("do not report a slow server for a few slow accepts", async () => {
    assert.deepEqual(await raisedBy({ connects: 600, queue: 0.1, slow: 12 }), []);
  });

  it("do not count what the peer had already received as lost", async () => {
    assert.deepEqual(await raisedBy({ retransmits: 20, spurious: 20 }), []);
  });

  for (const [what, calm, fault, minutes, rules] of [
    ["an outage", BEFORE, { failed: [60, "connection_refused"] }, 90, ["connects-fail"]],
    [
      "an outage that was there before them",
      0,
      { failed: [60, "connection_refused"] },
      90,
      ["connects-fail"],
    ],
    ["a longer way", BEFORE, { rtt: 0.02 }, 50, ["rtt-long"]],
    ["a longer way for more than an hour", BEFORE, { rtt: 0.02 }, 70, []],
  ] as const)
    it(`${rules.length ? "last as long as" : "get used to"} ${what}`, async () => {
      using store = new TestStore({ now: () => NOW });
      for (let m = -calm; m < 0; m++) minute(store, NOW + m * 60, {}, 1);
      const findings = new Findings(store.db, store.ingest, store.store.scan, () => {});
      const ever = new Set<string>();
      for (let m = 1; m <= minutes; m++) {
        minute(store, NOW + m * 60, fault, 1);
        for (let i = 0; i < 6; i++) await findings.evaluate(NOW + m * 60 + i);
        for (const { rule } of findings.raised) ever.add(rule);
      }
      assert.ok(ever.size > 0);
      assert.deepEqual(
        findings.raised.map(({ rule }) => rule),
        rules,
      );
    });

  it("end when they have not matched for a minute, and the file records when", async () => {
    using store = new TestStore({ now: () => NOW });
    minute(store, NOW, { failed: [30, "timed_out"] }, 1);
    const findings = new Findings(store.db, store.ingest, store.store.scan, () => {});
    await findings.evaluate(NOW);
    await findings.evaluate(NOW);
    assert.equal(findings.raised.length, 1);
    for (let i = 1; i <= 5; i++) await findings.evaluate(NOW + 70 + i * 10);
    assert.equal(findings.raised.length, 1);
    await findings.evaluate(NOW + 130);
    assert.equal(findings.raised.length, 0);
    const { since, until } = store.db.get("SELECT since, until FROM finding") ?? {};
    assert.deepEqual([since, until], [NOW, NOW + 130]);
  });
});
