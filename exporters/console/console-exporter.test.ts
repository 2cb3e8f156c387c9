import assert from "node:assert/strict";
import { PassThrough, Writable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import type { AnyAttributes, MetricSpec } from "../../core/plugin/signals.ts";
import {
  acceptedMetric,
  connectionSpan,
  connectionSpec,
  dropEvent,
  instant,
  softirqMetric,
} from "../../test/support/telemetry.ts";
import type { Kind } from "../exporter.ts";
import { ConsoleExporter } from "./console-exporter.ts";

const config = {
  type: "console",
  signals: ["traces", "metrics", "logs"],
  format: "text",
  rate: 20,
} as const;

/** A stream that stores what it receives; it accepts it immediately, or not until `release`. */
class Terminal extends Writable {
  text = "";
  stuck = false;
  isTTY = false;
  #release: (() => void) | undefined;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    if (this.stuck) this.#release = done;
    else done();
  }

  release(): void {
    this.stuck = false;
    this.#release?.();
  }
}

function attributesOf(id: number, failed: boolean) {
  const { attributes } = connectionSpan(id);
  const error = failed ? { "error.type": "connection_reset" } : {};
  return { ...attributes, "wirespan.connection.id": String(id), ...error };
}

function assertBalanced(exporter: ConsoleExporter, kind: Kind = "span"): void {
  const { given, acknowledged, queued, lost } = exporter.counts(kind);
  assert.equal(given, acknowledged + queued + Object.values(lost).reduce((sum, count) => sum + count, 0));
}

describe("console exporter", () => {
  it("writes a connection as one line: process, endpoints, bytes, duration", async () => {
    const terminal = new Terminal();
    const exporter = new ConsoleExporter("console", config, terminal);
    exporter.span(connectionSpan(2_000_000));
    await exporter.flush(1000);
    const [line, rest] = terminal.text.split("\n");
    assert.equal(rest, "");
    assert.match(
      line!,
      /^\d\d:\d\d:\d\d\.\d{3} {2}curl\[\d+\] {2}10\.0\.0\.1:\d+ → 10\.0\.0\.2:443 {2}5\.72 MiB out, 1\.86 GiB in {2}1\.01 s$/,
    );
    assert.deepEqual(exporter.counts("span").acknowledged, 1);
  });

  it("reverses the arrow for a connection that the peer opened, and brackets IPv6", async () => {
    const terminal = new Terminal();
    const exporter = new ConsoleExporter("console", config, terminal);
    const { attributes, ...span } = connectionSpan(1);
    const inbound = {
      ...attributes,
      "network.local.address": "::1",
      "network.peer.address": "2001:db8::2",
      "wirespan.connection.direction": "inbound",
    };
    exporter.span({ ...span, attributes: inbound });
    await exporter.flush(1000);
    assert.match(terminal.text, /\[::1\]:32769 ← \[2001:db8::2\]:443/);
  });

  it("writes an event with its warning and a failed span with its error", async () => {
    const terminal = new Terminal();
    const exporter = new ConsoleExporter("console", config, terminal);
    exporter.event(dropEvent(7));
    const { attributes, ...span } = connectionSpan(1);
    exporter.span({ ...span, error: "", attributes: { ...attributes, "error.type": "connection_refused" } });
    await exporter.flush(1000);
    const [event, failed] = terminal.text.split("\n");
    assert.match(event!, /curl {2}dropped: REASON_7$/);
    assert.match(failed!, /connection_refused$/);
  });

  it("does not let a process name control the terminal", async () => {
    const terminal = new Terminal();
    const exporter = new ConsoleExporter("console", config, terminal);
    const { attributes, ...span } = connectionSpan(1);
    const hostile = "\u001b]0;owned\u0007\n\u009b2J";
    exporter.span({
      ...span,
      attributes: { ...attributes, "process.executable.name": hostile, "thread.name": hostile },
    });
    await exporter.flush(1000);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not occur
    assert.doesNotMatch(terminal.text.slice(0, -1), /[\u0000-\u001f\u007f-\u009f]/);
  });

  it("summarizes a collection: rates of counters, rate and mean of histograms", async () => {
    const terminal = new Terminal();
    const exporter = new ConsoleExporter("console", config, terminal);
    exporter.metrics([acceptedMetric(6, 100), softirqMetric()]);
    await exporter.flush(1000);
    assert.match(terminal.text, /tcp connection accepted {2}0 10 connection\/s \| .* and 3 more/);
    assert.match(terminal.text, /softirq duration {2}net_rx 0\.5\/s of 50 ms/);
    terminal.text = "";
    const later = { ...acceptedMetric(6, 100), time: instant(1_790_000_020, 5) };
    later.points.forEach((point, i) => {
      Object.assign(point, { value: 100 + i * 10 });
    });
    exporter.metrics([later]);
    await exporter.flush(1000);
    assert.match(
      terminal.text,
      /accepted {2}5 5 connection\/s \| 4 4 connection\/s/,
      "since the collection before",
    );
    terminal.text = "";
    exporter.metrics([{ ...later, time: instant(1_790_000_030, 5) }]);
    await exporter.flush(1000);
    assert.equal(terminal.text, "", "nothing where nothing happened");
    assert.equal(exporter.counts("point").acknowledged, 19);
  });

  it("reports losses and impaired plugins of the agent's own metrics, once", async () => {
    const terminal = new Terminal();
    const exporter = new ConsoleExporter("console", config, terminal);
    const own = (name: string, instrument: MetricSpec["instrument"], points: [AnyAttributes, number][]) => {
      const spec = {
        signal: "metric",
        name,
        instrument,
        unit: "1",
        description: "",
        attributes: {},
      } as const;
      const { start } = acceptedMetric(1).points[0]!;
      return {
        ...acceptedMetric(0),
        spec,
        points: points.map(([attributes, value]) => ({ attributes, value, start })),
      };
    };
    const state = (plugin: string, state: string): [AnyAttributes, number] => [
      { "wirespan.plugin.name": plugin, "wirespan.agent.plugin.state": state },
      1,
    ];
    exporter.metrics([
      own("wirespan.agent.events", "counter", [
        [{ "wirespan.agent.event.kind": "unseen_changes" }, 30],
        [{ "wirespan.agent.event.kind": "lost_connections" }, 20],
        [{ "wirespan.agent.event.kind": "lost_drops" }, 70],
        [{ "wirespan.agent.event.kind": "seen_drops" }, 90],
      ]),
      own("wirespan.agent.connection.lost", "counter", [
        [{ "error.type": "unseen" }, 10],
        [{ "error.type": "no_memory" }, 20],
      ]),
      own("wirespan.agent.event.unseen", "counter", [[{}, 40]]),
      own("wirespan.agent.plugin.state", "updowncounter", [
        state("tcplife", "running"),
        state("tcpdrop", "degraded"),
      ]),
    ]);
    await exporter.flush(1000);
    assert.match(terminal.text, /agent events {2}lost_drops 7\/s\n/);
    assert.match(terminal.text, /agent connection lost {2}no_memory 2\/s \| unseen 1\/s\n/);
    assert.match(terminal.text, /agent event unseen {2}\S+ 4\/s\n/);
    assert.match(terminal.text, /agent plugin state {2}tcpdrop degraded 1\n/);
  });

  it("colours on a terminal only, and not with NO_COLOR", async () => {
    const before = process.env.NO_COLOR;
    const write = async (isTTY: boolean): Promise<string> => {
      const terminal = new Terminal();
      terminal.isTTY = isTTY;
      const exporter = new ConsoleExporter("console", config, terminal);
      exporter.span(connectionSpan(1));
      await exporter.flush(1000);
      return terminal.text;
    };
    try {
      delete process.env.NO_COLOR;
      assert.ok((await write(true)).includes("\u001b["));
      assert.ok(!(await write(false)).includes("\u001b["));
      process.env.NO_COLOR = "1";
      assert.ok(!(await write(true)).includes("\u001b["));
    } finally {
      if (before === undefined) delete process.env.NO_COLOR;
      else process.env.NO_COLOR = before;
    }
  });

  it("prints failures first, at most as many lines per second as configured, and the number omitted", async () => {
    const terminal = new Terminal();
    const exporter = new ConsoleExporter("console", { ...config, rate: 5 }, terminal);
    for (let i = 0; i < 1000; i++)
      exporter.span({ ...connectionSpan(i), attributes: attributesOf(i, i % 500 === 499) });
    exporter.event(dropEvent(1));
    await exporter.flush(1000);
    const lines = terminal.text.trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line) =>
        /connection_reset$|dropped|^and .*|(?<=in {2}).* s$/.exec(line)?.[0].replace(/.* s$/, "calm"),
      ),
      ["connection_reset", "connection_reset", "dropped", "calm", "calm", "and 996 more connections"],
    );
    assert.equal(exporter.counts("span").acknowledged, 1000);
    assert.equal(exporter.counts("event").acknowledged, 1);
  });

  it("prints one line per connection and one per failure, however many spans report it", async () => {
    const terminal = new Terminal();
    const exporter = new ConsoleExporter("console", config, terminal);
    const end = connectionSpan(1);
    const named = (name: string, attributes = attributesOf(2, false)) => {
      exporter.span({ ...end, spec: { ...end.spec, name }, attributes });
    };
    exporter.span({ ...end, attributes: attributesOf(1, false) });
    named("tcp connect");
    named("tcp accept");
    named("tcp connection");
    named("tcp connect", attributesOf(3, true));
    named("tcp connection", attributesOf(3, true));
    await exporter.flush(1000);
    assert.equal(terminal.text.trimEnd().split("\n").length, 3, terminal.text);
    assert.equal(exporter.counts("span").acknowledged, 6);
  });

  it("prints JSON lines, one per collection of metrics", async () => {
    const terminal = new Terminal();
    const exporter = new ConsoleExporter("console", { ...config, format: "json", rate: 1 }, terminal);
    exporter.span({
      ...connectionSpan(1),
      attributes: { ...attributesOf(1, false), "thread.name": "\u009b2J" },
    });
    exporter.span({ ...connectionSpan(2), attributes: attributesOf(2, false) });
    exporter.metrics([acceptedMetric(2, 0), softirqMetric()]);
    await exporter.flush(1000);
    const lines = terminal.text.trimEnd().split("\n");
    const rows = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const [metrics, span, more] = rows;
    assert.equal(span!["thread.name"], "\u009b2J");
    assert.ok(!terminal.text.includes("\u009b"));
    assert.deepEqual(more, { signal: "left_out", connections: 1 });
    const { metrics: all } = metrics as { metrics: { name: string; points: unknown[] }[] };
    assert.deepEqual(
      all.map(({ name }) => name),
      ["wirespan.softirq.duration"],
    );
  });

  it("neither waits for a slow reader nor grows, and counts what it drops", async () => {
    const terminal = new Terminal();
    terminal.stuck = true;
    const exporter = new ConsoleExporter("console", { ...config, rate: 0 }, terminal);
    for (let i = 0; i < 20_000; i++) {
      exporter.span(connectionSpan(i));
      if (i % 100 !== 0) continue;
      void exporter.flush(0);
      await turn();
      assertBalanced(exporter);
      assert.ok(exporter.queue.bytes <= exporter.queue.limit + 20_000, `${exporter.queue.bytes}`);
    }
    const { queued, lost } = exporter.counts("span");
    assert.ok(lost.queue_full > 10_000);
    assert.equal(queued + lost.queue_full, 20_000);
    terminal.release();
    await exporter.flush(1000);
    assert.equal(exporter.counts("span").acknowledged, queued);
    assert.equal(terminal.text.split("\n").length - 1, queued);
    exporter.span(connectionSpan(1));
    await exporter.flush(1000);
    assert.equal(exporter.counts("span").acknowledged, queued + 1);
  });

  it("survives a reader that disconnects, and counts what it did not read", async () => {
    const pipe = new PassThrough();
    const exporter = new ConsoleExporter("console", config, pipe);
    pipe.destroy(new Error("EPIPE"));
    exporter.span(connectionSpan(1));
    await exporter.flush(1000);
    assert.equal(exporter.counts("span").lost.rejected, 1);
    assertBalanced(exporter);
  });

  it("shuts down by its deadline with a stuck reader, and loses what comes later", async () => {
    const terminal = new Terminal();
    terminal.stuck = true;
    const exporter = new ConsoleExporter("console", config, terminal);
    exporter.span(connectionSpan(1));
    void exporter.flush(0);
    await turn();
    exporter.span(connectionSpan(2));
    await Promise.all([exporter.shutdown(50), exporter.shutdown(50)]);
    exporter.span(connectionSpan(3));
    terminal.release();
    await turn();
    assert.deepEqual(exporter.counts("span"), {
      given: 3,
      acknowledged: 0,
      queued: 0,
      lost: { queue_full: 0, rejected: 0, unconfirmed: 0, shutdown_timeout: 3, encode: 0 },
    });
    assert.equal(exporter.queue.bytes, 0);
  });

  it("writes only the configured signals", async () => {
    const terminal = new Terminal();
    const exporter = new ConsoleExporter("console", { ...config, signals: ["logs"] }, terminal);
    exporter.span({ ...connectionSpan(1), spec: connectionSpec });
    exporter.metrics([acceptedMetric(1)]);
    exporter.event(dropEvent(1));
    await exporter.flush(1000);
    assert.equal(terminal.text.split("\n").length, 2);
    assert.equal(exporter.counts("span").given, 0);
  });
});
