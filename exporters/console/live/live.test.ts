import assert from "node:assert/strict";
import stringWidth from "string-width";
import type { AnyAttributes, Event, Metric, MetricSpec, Span } from "../../../core/plugin/signals.ts";
import { connectionSpan, dropEvent, resource } from "../../../test/support/telemetry.ts";
import { paint } from "../format.ts";
import { cut, fit, shortBytes, shortCount, shortTime } from "./cells.ts";
import { type Controls, press, START } from "./controls.ts";
import { Latency } from "./latency.ts";
import { Model } from "./model.ts";
import { overview } from "./overview.ts";

const scope = { name: "wirespan.test", version: "0" };
const time = { sec: 1_790_000_000, nsec: 0, bootNs: 1e12 };
const colourless = paint(false);

function span(name: string, id: number, more: AnyAttributes = {}): Span {
  const of = connectionSpan(id);
  const attributes = { ...of.attributes, "wirespan.connection.id": `${id}`, ...more };
  return { ...of, spec: { ...of.spec, name }, attributes };
}

const bytes = (sent: number, received: number): AnyAttributes => ({
  "wirespan.tcp.bytes_sent": sent,
  "wirespan.tcp.bytes_received": received,
});

function top(id: number, sent: number, received: number): Event {
  const of = dropEvent(1);
  const { attributes } = span("tcp connection", id, bytes(sent, received));
  return { ...of, spec: { ...of.spec, name: "wirespan.tcp.top", severity: "INFO" }, attributes };
}

function metric(
  name: string,
  instrument: MetricSpec["instrument"],
  points: [AnyAttributes, number][],
  sec = 0,
): Metric {
  const spec = { signal: "metric", name, instrument, unit: "1", description: "", attributes: {} } as const;
  return {
    spec,
    scope,
    resource,
    time: { sec: time.sec + sec, nsec: 0, bootNs: time.bootNs + sec * 1e9 },
    points: points.map(([attributes, value]) => ({ attributes, value, start: time })),
  };
}

const lines = (model: Model, width = 120, height = 30, filter = "") =>
  overview(model, { order: "total", filter, width, height }, colourless);

describe("live view's model", () => {
  it("counts a connection's bytes once, even if it was reported before its end", () => {
    const model = new Model("console");
    model.event(top(1, 100, 10));
    model.metrics([]);
    model.event(top(1, 50, 5));
    model.span(span("tcp connection", 1, bytes(175, 20)));
    // Its last bytes are reported by the next collection.
    model.event(top(1, 25, 5));
    model.metrics([]);
    const { sent, received, connections } = model.peers.sums;
    assert.deepEqual([sent.total, received.total, connections.total], [175, 20, 1]);
    assert.equal(model.peers.all.length, 1);
    assert.equal(model.peers.all[0]!.sent.total, 175);
  });

  it("counts a failure once, whichever spans report it", () => {
    const model = new Model("console");
    const failed = { "error.type": "connection_refused" };
    model.span(span("tcp connect", 7, failed));
    model.span(span("tcp connection", 7, { ...failed, ...bytes(0, 0) }));
    model.span(span("tcp connection", 8, { "error.type": "connection_reset", ...bytes(0, 0) }));
    assert.equal(model.peers.sums.failures.total, 2);
    assert.deepEqual(
      model.problems.all.map(({ what, count }) => [what, count]),
      [
        ["connection_reset", 1],
        ["connection_refused", 1],
      ],
    );
  });

  it("keeps the sums right when there are more pairs than rows", () => {
    const model = new Model("console");
    for (let i = 0; i < 1500; i++)
      model.span(
        span("tcp connection", i, { "network.peer.address": `10.1.${i >> 8}.${i & 255}`, ...bytes(1, 2) }),
      );
    const { all } = model.peers;
    assert.equal(all.length, 1001);
    assert.equal(
      all.reduce((sum, { sent }) => sum + sent.total, 0),
      1500,
    );
    assert.equal(all.at(-1)!.connections.total, 500);
    // Idle pairs lose their rows, and what they had counted stays counted.
    for (let i = 0; i < 62; i++) model.tick(1);
    assert.ok(model.peers.all.length < 600, `${model.peers.all.length}`);
    assert.equal(
      model.peers.all.reduce((sum, { sent }) => sum + sent.total, 0),
      1500,
    );
  });

  it("counts equal drops in one row, the latest first", () => {
    const model = new Model("console");
    model.event(dropEvent(1));
    model.event(dropEvent(2));
    model.event(dropEvent(1));
    assert.deepEqual(
      model.problems.all.map(({ what, count }) => [what, count]),
      [
        ["dropped: REASON_1", 2],
        ["dropped: REASON_2", 1],
      ],
    );
  });

  it("shows listeners by how full their queues are, rates, losses, and impaired plugins", () => {
    const model = new Model("console");
    const listener = (port: number): AnyAttributes => ({ "server.port": port, "network.type": "ipv4" });
    const collection = (sec: number, seconds: number): Metric[] => [
      metric("wirespan.tcp.accept_queue.usage", "updowncounter", [
        [listener(80), 1],
        [listener(81), 9],
      ]),
      metric("wirespan.tcp.accept_queue.limit", "updowncounter", [
        [listener(80), 100],
        [listener(81), 10],
      ]),
      metric("wirespan.softirq.time", "counter", [[{ "wirespan.softirq.vector": "net_rx" }, seconds]], sec),
      metric("wirespan.agent.events", "counter", [
        [{ "wirespan.agent.event.kind": "lost_records" }, 3],
        [{ "wirespan.agent.event.kind": "lost_connections" }, 4],
        [{ "wirespan.agent.event.kind": "unseen_changes" }, 7],
        [{ "wirespan.agent.event.kind": "seen_drops" }, 50],
      ]),
      metric("wirespan.agent.connection.lost", "counter", [
        [{ "error.type": "unseen" }, 2],
        [{ "error.type": "no_memory" }, 4],
      ]),
      metric("wirespan.agent.event.unseen", "counter", [[{}, 9]]),
      metric("wirespan.agent.plugin.state", "updowncounter", [
        [{ "wirespan.plugin.name": "a", "wirespan.agent.plugin.state": "running" }, 1],
        [{ "wirespan.plugin.name": "b", "wirespan.agent.plugin.state": "failed" }, 1],
        [{ "wirespan.plugin.name": "c", "wirespan.agent.plugin.state": "degraded" }, 1],
      ]),
    ];
    model.metrics(collection(0, 5));
    model.metrics(collection(10, 6));
    const text = lines(model).join("\n");
    assert.match(text, /:81 {2}9 of 10 waiting\n.*:80 {2}1 of 100 waiting/);
    assert.match(text, /softirqs: net_rx 10\.0 % of a CPU/);
    const losses = "9 unseen events, 4 connections (no memory), 3 records, 2 connections (unseen)";
    assert.ok(text.includes(`Lost: ${losses}.  Impaired: b failed, c degraded.`), text);
  });

  it("draws at any size, with any names", () => {
    const model = new Model("console");
    const hostile = "\u001b[2J\u009b日本語\u202e\u061c\u2028\n".repeat(4);
    const named = { ...resource, attributes: { ...resource.attributes, "service.name": hostile } };
    model.span({ ...span("tcp connect", 1, { "error.type": hostile }), resource: named });
    model.span({ ...span("tcp connection", 2, bytes(1, 1)), resource: named });
    for (const [width, height] of [
      [20, 6],
      [80, 24],
      [300, 100],
    ] as const) {
      const drawn = lines(model, width, height);
      assert.ok(drawn.length <= height);
      for (const line of drawn) {
        assert.ok(stringWidth(line) <= width, line);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not occur
        assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u061c\u2028\u202e]/);
      }
    }
  });

  it("shows only rows with the filter's text, in every table", () => {
    const model = new Model("console");
    model.span(span("tcp connection", 1, { "network.peer.address": "10.9.9.9", ...bytes(1, 1) }));
    model.span(span("tcp connection", 2, { "network.peer.address": "10.8.8.8", ...bytes(1, 1) }));
    const text = lines(model, 120, 30, "9.9").join("\n");
    assert.match(text, /10\.9\.9\.9/);
    assert.doesNotMatch(text, /10\.8\.8\.8/);
  });
});

describe("live view's keys", () => {
  const pressed = (...keys: string[]) =>
    keys.reduce<Controls | "quit">((now, key) => (now === "quit" ? now : press(now, key, 3)), START);

  it("quit on q and Ctrl-C, also while a filter is edited", () => {
    assert.equal(pressed("q"), "quit");
    assert.equal(pressed("/", "\x03"), "quit");
    assert.equal((pressed("/", "q") as Controls).filter, "q");
  });

  it("edit, keep and drop a filter", () => {
    assert.equal((pressed("/", "a", "b", "\x7f", "\x1b[A", "c", "\r") as Controls).filter, "ac");
    assert.equal((pressed("/", "a", "\x1b") as Controls).filter, "");
  });

  it("cycle through orders and tools, and back", () => {
    assert.equal((pressed("S") as Controls).order, "total");
    assert.deepEqual(
      ["t", "tt", "ttt", "tttt", "T", "to"].map((keys) => (pressed(...keys) as Controls).tool),
      [0, 1, 2, 0, 2, undefined],
    );
  });
});

describe("cells", () => {
  it("have the requested width, with wide characters counted as two", () => {
    assert.equal(fit("ab", 4, "right"), "  ab");
    assert.equal(cut("日本語", 5), "日本…");
    assert.equal(stringWidth(fit("日本語", 4)), 4);
    assert.equal(cut("abc", 0), "");
  });

  it("have short numbers", () => {
    assert.deepEqual([0, 0.4, 12, 9999, 12_345, 4_560_000].map(shortCount), [
      "-",
      "0.4",
      "12",
      "9999",
      "12.3k",
      "4.6M",
    ]);
    assert.deepEqual([0, 1023, 1024, 1_572_864].map(shortBytes), ["-", "1023", "1K", "1.5M"]);
    assert.deepEqual([undefined, 870e-6, 0.0123, 1.5].map(shortTime), ["-", "870µs", "12.3ms", "1.5s"]);
  });
});

describe("latency", () => {
  it("has percentiles within 5 %, and forgets", () => {
    const latency = new Latency();
    assert.equal(latency.percentile(0.5), undefined);
    for (let i = 1; i <= 1000; i++) latency.add(i / 1000);
    assert.ok(Math.abs(latency.percentile(0.5)! / 0.5 - 1) < 0.05);
    assert.ok(Math.abs(latency.percentile(0.99)! / 0.99 - 1) < 0.05);
    latency.age();
    latency.add(0);
    assert.ok(latency.percentile(0.99)! > 0.9);
    latency.age();
    latency.age();
    assert.equal(latency.percentile(0.5), undefined);
  });
});
