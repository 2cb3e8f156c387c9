import assert from "node:assert/strict";
import {
  ACCEPT,
  CONNECT,
  CONNECTION,
  type Made,
  outbound,
  TestStore,
  traceId,
} from "../../test/support/page.ts";
import type { Listener, Trace } from "../answers.ts";
import { hex } from "../hex.ts";
import { Api } from "../http/api.ts";

const NOW = 1_800_000_000;

/** 300 attempts in five minutes, a second apart: two in three to peer 1 by web, the rest to peer 2 by cart, which refuses. */
function fill(store: TestStore): void {
  const connects: Made[] = [];
  const connections: Made[] = [];
  for (let i = 0; i < 300; i++) {
    const isCart = i % 3 === 2;
    const start = NOW - 300 + i;
    const made = { start, trace: i, service: isCart ? "cart" : "web" };
    const attributes = outbound(isCart ? 2 : 1, {
      "process.pid": isCart ? 7 : 5,
      "wirespan.tcp.syn.retransmits": 0,
    });
    if (isCart) {
      const error = { "error.type": "connection_refused" };
      connects.push({ ...made, duration: 0.0001, error: "refused", attributes: { ...attributes, ...error } });
    } else {
      connects.push({ ...made, duration: i % 30 === 0 ? 1.05 : 0.002, attributes });
      connections.push({
        ...made,
        duration: 0.5,
        attributes: {
          ...attributes,
          "wirespan.tcp.bytes_sent": 100,
          "wirespan.tcp.bytes_received": i,
          "wirespan.tcp.segments_sent": 10,
          "wirespan.tcp.retransmits": i % 30 === 0 ? 2 : 0,
          "wirespan.tcp.close.reason": "fin_local",
          "wirespan.tcp.rtt.smoothed": 0.001,
        },
      });
    }
  }
  store.spans(CONNECT, connects, NOW * 1000);
  store.spans(CONNECTION, connections, NOW * 1000);
}

for (const committed of [false, true]) {
  describe(`queries of a store, ${committed ? "from its file" : "before anything is written"}`, () => {
    let store: TestStore;
    let api: Api;
    before(() => {
      store = new TestStore({ now: () => NOW + 1 });
      fill(store);
      if (committed) store.ingest.commit(NOW);
      api = new Api(store.store);
    });
    after(() => store[Symbol.dispose]());

    // biome-ignore lint/suspicious/noExplicitAny: answers are read as a browser does
    const ask = async (path: string): Promise<any> => {
      const [name = "", query = ""] = path.split("?");
      const { status, body } = await api.answer(name, new URLSearchParams(query));
      assert.equal(status, 200, JSON.stringify(body));
      return body;
    };

    it("counts every connection and failure in the strip", async () => {
      const { calm, failed } = await ask("strip?last=600");
      assert.equal(sum(calm), 200);
      assert.equal(sum(failed), 100);
      const cart = await ask("strip?last=600&q=service:cart");
      assert.deepEqual([sum(cart.calm), sum(cart.failed)], [0, 100]);
    });

    it("counts connections selected by fields of single connections, too", async () => {
      const { calm, failed } = await ask("strip?last=600&q=pid:5");
      assert.deepEqual([sum(calm), sum(failed)], [200, 0]);
    });

    it("draws every successful handshake, and its duration", async () => {
      const { total, bounds, counts } = await ask("heat?of=connect&last=600");
      assert.equal(total, 200);
      const slow = bounds.findIndex((bound: number) => bound > 1);
      assert.equal(sum(counts[slow]), 10);
      assert.ok(bounds[slow] > 1.05 && bounds[slow] < 1.05 * 2 ** (1 / 8));
    });

    it("shows what differs in a selection", async () => {
      const box = `t0=${NOW - 400}&t1=${NOW + 10}&least=0.5&most=2`;
      const { inside, outside, differences } = await ask(`diff?of=connect&last=600&${box}`);
      assert.deepEqual([inside, outside], [10, 290]);
      assert.deepEqual(
        differences.map(
          ({ attribute, value }: { attribute: string; value: string }) => `${attribute} ${value}`,
        ),
        [],
        "ten of web, as two in three of all: chance",
      );
      const failing = await ask(
        `diff?of=connect&last=600&t0=${NOW - 400}&t1=${NOW + 10}&least=0.00005&most=0.0002`,
      );
      assert.equal(failing.inside, 100);
      const [first] = failing.differences;
      assert.deepEqual([first.inside, first.outside, first.count], [1, 0, 100]);
      assert.ok(failing.differences.some((one: { value: string }) => one.value === "connection_refused"));
    });

    it("lists connections in any order, with a filter", async () => {
      const { total, rows } = await ask("connections?last=600&order=received");
      assert.equal(total, 200);
      assert.deepEqual([rows[0].received, rows[1].received], [298, 297]);
      const retransmitted = await ask("connections?last=600&q=retransmits>1");
      assert.equal(retransmitted.total, 10);
      const failed = await ask("connections?of=connect&last=600&q=cause:connection_refused");
      assert.equal(failed.total, 100);
      assert.ok(
        failed.rows.every(
          ({ error, service }: Record<string, string>) =>
            error === "connection_refused" && service === "cart",
        ),
      );
    });

    it("draws the map, with the causes of failures", async () => {
      const { edges } = await ask("topology?last=600");
      const [cart, web] = [...edges].sort((a, b) => a.from.localeCompare(b.from));
      assert.deepEqual(
        [cart.from, cart.to, cart.port, cart.causes],
        ["cart", "10.0.0.2", 5432, { connection_refused: 100 }],
      );
      assert.deepEqual([web.counts.connections, web.counts.sent, web.counts.retransmits], [200, 20_000, 20]);
    });

    it("finds a trace by its id, and how its durations compare", async () => {
      const { rows, ranks } = await ask(`trace/${hex(traceId(0))}`);
      assert.deepEqual(rows.map(({ name }: { name: string }) => name).sort(), [
        "tcp connect",
        "tcp connection",
      ]);
      const connect = rows.find(({ name }: { name: string }) => name === "tcp connect");
      assert.equal(connect.duration, 1.05);
      assert.equal(connect.attributes["network.peer.address"], "10.0.0.1");
      const rank = ranks[connect.span];
      assert.ok(rank === undefined || rank >= 0.9, `${rank}`);
    });

    it("reports what it does not have", async () => {
      for (const [path, status] of [
        [`trace/${"0".repeat(31)}1`, 404],
        ["trace/x", 400],
        ["nothing", 404],
        ["strip?frm=1", 400],
        ["strip?from=x", 400],
        ["strip?from=9&to=5", 400],
        ["strip?q=servce:a", 400],
        ["heat?of=colour", 400],
        ["constructor", 404],
      ] as const) {
        const [name = "", query = ""] = path.split("?");
        const answer = await api.answer(name, new URLSearchParams(query));
        assert.equal(answer.status, status, `${path}: ${JSON.stringify(answer.body)}`);
        assert.match((answer.body as { error: string }).error, /\w/);
      }
    });
  });
}

describe("a wait to be accepted", () => {
  it("is compared with those of its edge, as the whole accept is", async () => {
    using store = new TestStore({ now: () => NOW + 1 });
    const accepts = Array.from({ length: 20 }, (_, i): Made => {
      const attributes = {
        ...outbound(1),
        ...{ "network.local.port": 5432, "wirespan.connection.direction": "inbound" },
        "wirespan.tcp.accept.queue_wait": i === 7 ? 2 : 0.001,
      };
      return { start: NOW - 20, duration: i === 9 ? 3 : 2.5, trace: 1 + i, service: "db", attributes };
    });
    store.spans(ACCEPT, accepts);
    const { body } = await new Api(store.store).answer(`trace/${hex(traceId(8))}`, new URLSearchParams());
    const { rows, ranks } = body as Trace;
    assert.deepEqual(ranks, { [rows[0]!.span]: 0, [`${rows[0]!.span} queue`]: 0.95 });
  });
});

describe("both ends of a connection on this host", () => {
  it("are one edge between services, identified by the server's address", async () => {
    using store = new TestStore({ now: () => NOW + 1 });
    const start = NOW - 10;
    store.spans(CONNECT, [{ start, duration: 0.001, trace: 1, service: "web", attributes: outbound(1) }]);
    const inbound = {
      ...outbound(1),
      ...{
        "network.local.address": "10.0.0.1",
        "network.local.port": 5432,
        "network.peer.address": "10.0.9.9",
      },
      ...{ "network.peer.port": 40_000, "wirespan.connection.direction": "inbound" },
    };
    const accept = {
      ...inbound,
      "wirespan.tcp.accept.queue_wait": 0.25,
      "wirespan.tcp.synack.retransmits": 0,
    };
    store.spans(ACCEPT, [{ start, duration: 0.3, trace: 1, service: "db", attributes: accept }]);
    const { body } = await new Api(store.store).answer("topology", new URLSearchParams("last=60"));
    const { edges } = body as {
      edges: { from: string; to: string; port: number; seenBy: string; queueP99?: number }[];
    };
    assert.deepEqual(
      edges.map(({ from, to, port }) => `${from} ${to} ${port}`),
      ["web db 5432"],
    );
    assert.ok(Math.abs(edges[0]!.queueP99! - 0.25) < 0.03);
  });
});

describe("metrics by CPU, state and queue", () => {
  const NAPI = (what: string) => `wirespan.softirq.napi.${what}`;
  const cpu = (of: number) => ({ "wirespan.softirq.vector": "net_rx", "cpu.logical_number": of });
  let store: TestStore;
  let api: Api;
  // biome-ignore lint/suspicious/noExplicitAny: answers are read as a browser does
  const ask = async (path: string): Promise<any> => {
    const [name = "", query = ""] = path.split("?");
    const { status, body } = await api.answer(name, new URLSearchParams(query));
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  };
  before(() => {
    store = new TestStore({ now: () => NOW + 1 });
    api = new Api(store.store);
    for (const time of [NOW - 20, NOW - 10]) {
      // 4 starts of up to 2^-10 s on CPU 0; 2 of up to 2^-10 s and 1 of up to 2^-9 s on CPU 3.
      store.histogram(time, "wirespan.softirq.latency", cpu(0), { offset: -81, counts: [4] }, "host");
      store.histogram(
        time,
        "wirespan.softirq.latency",
        cpu(3),
        { offset: -81, counts: [2, 0, 0, 0, 0, 0, 0, 0, 1] },
        "host",
      );
      store.histogram(
        time,
        "wirespan.softirq.latency",
        { "wirespan.softirq.vector": "timer" },
        { offset: 0, counts: [8] },
        "host",
      );
      const polls = { [JSON.stringify({ "cpu.logical_number": 3 })]: 50 };
      store.metrics(time, NAPI("polls"), "counter", polls, "host");
      store.metrics(time, NAPI("packets"), "counter", { [Object.keys(polls)[0]!]: 200 }, "host");
      store.metrics(time, NAPI("exhausted"), "counter", { [Object.keys(polls)[0]!]: 5 }, "host");
      const state = { "network.connection.state": "close_wait" };
      store.histogram(time, "wirespan.tcp.state.duration", state, { offset: -1, counts: [3] }, "shop");
      store.histogram(time, "wirespan.tcp.state.duration", state, { offset: -1, counts: [1] }, "web");
    }
  });
  after(() => store[Symbol.dispose]());

  it("are drawn for one vector and CPU, for all others, or for all", async () => {
    const totals: Record<string, number> = {};
    for (const limit of ["", "&only=net_rx", "&only=net_rx&cpu=3", "&only=net_rx&cpu=not+3"])
      totals[limit] = (await ask(`heat?of=softirq&last=60${limit}`)).total;
    assert.deepEqual(totals, {
      "": 30,
      "&only=net_rx": 14,
      "&only=net_rx&cpu=3": 6,
      "&only=net_rx&cpu=not+3": 8,
    });
    const heat = await ask("heat?of=softirq&last=60&only=net_rx&cpu=3");
    assert.deepEqual(heat.bounds, [2 ** -10, 2 ** -9]);
    assert.deepEqual(
      heat.counts.map((row: number[]) => row.filter((n) => n > 0)),
      [
        [2, 2],
        [1, 1],
      ],
    );
    assert.deepEqual(heat.parts, ["timer", "net_rx"]);
  });

  it("are drawn for a service's states", async () => {
    const total = async (query: string) => (await ask(`heat?of=state&last=60${query}`)).total;
    assert.deepEqual(
      [await total(""), await total("&q=service:shop"), await total("&only=listen")],
      [8, 6, 0],
    );
  });

  it("show how often a CPU's polls used up their budget", async () => {
    const { napi, seconds, step } = await ask("host?last=60");
    assert.deepEqual(napi, [{ cpu: 3, polls: 100, packets: 400, exhausted: 10 }]);
    assert.deepEqual([seconds, step], [20, 10]);
  });
});

describe("a listener", () => {
  it("has its queue over time, its greatest length, and how long connections waited", async () => {
    using store = new TestStore({ now: () => NOW + 1 });
    const at = JSON.stringify({ "server.port": 5432, "process.executable.name": "postgres" });
    for (const [time, waiting] of [
      [NOW - 20, 7],
      [NOW - 10, 2],
    ] as const) {
      store.metrics(time, "wirespan.tcp.accept_queue.usage", "updowncounter", { [at]: waiting }, "db");
      store.metrics(time, "wirespan.tcp.accept_queue.limit", "updowncounter", { [at]: 8 }, "db");
    }
    const inbound = {
      ...outbound(1),
      ...{ "network.local.address": "10.0.0.1", "network.local.port": 5432 },
      ...{ "network.peer.address": "10.0.9.9", "wirespan.connection.direction": "inbound" },
      "wirespan.tcp.accept.queue_wait": 0.25,
    };
    store.spans(ACCEPT, [{ start: NOW - 5, duration: 0.3, trace: 1, service: "db", attributes: inbound }]);
    const { body } = await new Api(store.store).answer("listeners", new URLSearchParams("last=60"));
    const { listeners } = body as { listeners: readonly Listener[] };
    const [one] = listeners;
    assert.deepEqual(
      [one!.port, one!.waiting, one!.mostWaiting, one!.limit, one!.line.map(([, value]) => value)],
      [5432, 2, 7, 8, [7, 2]],
    );
    assert.ok(Math.abs(one!.waitP99! - 0.25) < 0.03, `${one!.waitP99}`);
  });

  it("is closed if the last collection did not find it", async () => {
    using store = new TestStore({ now: () => NOW + 1 });
    const at = (port: number) => JSON.stringify({ "server.port": port });
    for (const [time, queues] of [
      [NOW - 20, { [at(80)]: 0, [at(81)]: 3 }],
      [NOW - 10, { [at(80)]: 0 }],
    ] as const)
      store.metrics(time, "wirespan.tcp.accept_queue.usage", "updowncounter", queues);
    const { body } = await new Api(store.store).answer("listeners", new URLSearchParams("last=60"));
    const { listeners } = body as { listeners: readonly Listener[] };
    assert.deepEqual(
      listeners.map(({ port, isOpen }) => [port, isOpen]),
      [
        [81, false],
        [80, true],
      ],
    );
  });
});

describe("above the rate that is stored individually", () => {
  it("one trace in N is kept, with both spans, and sums count all", async () => {
    using store = new TestStore({ rate: 100, now: () => NOW + 1 });
    const made = (second: number) =>
      Array.from({ length: 1000 }, (_, i): Made => {
        return {
          start: NOW - 20 + second,
          duration: 0.001,
          trace: second * 1000 + i,
          attributes: outbound(1),
        };
      });
    for (let second = 0; second < 4; second++) {
      store.spans(CONNECT, made(second), (NOW + second) * 1000);
      store.spans(CONNECTION, made(second), (NOW + second) * 1000);
    }
    const api = new Api(store.store);
    const ask = async (path: string, query: string) =>
      (await api.answer(path, new URLSearchParams(query))).body;
    const { calm } = (await ask("strip", "last=60")) as { calm: number[] };
    assert.equal(sum(calm), 4000);
    const listed = (await ask("connections", "last=60")) as {
      total: number;
      oneIn: number;
      rows: { trace: string }[];
    };
    assert.ok(listed.oneIn >= 16, `one in ${listed.oneIn}`);
    assert.ok(
      listed.total >= 1000 && listed.total < 2000,
      `${listed.total} of 4000: all of the first second, then few`,
    );
    const connects = (await ask("connections", "last=60&of=connect")) as typeof listed;
    assert.deepEqual(
      new Set(listed.rows.map(({ trace }) => trace)),
      new Set(connects.rows.map(({ trace }) => trace)),
    );
  });
});

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
